"""A real redis-server for tests, on a loopback port of its own; it can be killed, paused and started again."""

import shutil
import signal
import socket
import subprocess
import time

import pytest
import redis

MISSING = "These tests need redis-server, which is not on the PATH: `make services` installs it or says what to do."


def free_ports(count):
    """Give ports that nobody listens on."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [it.getsockname()[1] for it in sockets]
    for it in sockets:
        it.close()
    return ports


class RedisServer:
    """A server with what the options say, without persistence if they say nothing."""

    def __init__(self, folder, *options):
        self.folder = folder
        self.port, *_ = free_ports(1)
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.cluster_url = f"redis+cluster://127.0.0.1:{self.port}"
        self._options = [
            f"--port {self.port}",
            "--bind 127.0.0.1",
            f"--dir {folder}",
            "--enable-debug-command local",
            "--daemonize no",
            *(options or ("--save ''", "--appendonly no")),
        ]
        self.process = None
        self.start()

    def start(self):
        """Start it, or start it again with what it has kept."""
        program = shutil.which("redis-server")
        if program is None:
            pytest.fail(MISSING, pytrace=False)
        words = [word.replace("''", "") for option in self._options for word in option.split(" ")]
        with (self.folder / "redis.log").open("ab") as log:
            self.process = subprocess.Popen([program, *words], stdout=log, stderr=log)
        deadline = time.monotonic() + 20
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                pytest.fail((self.folder / "redis.log").read_text(), pytrace=False)
            time.sleep(0.02)

    def _answers(self):
        try:
            return self.is_ready()
        except (redis.ConnectionError, redis.TimeoutError):
            return False

    def is_ready(self):
        """Tell whether it takes commands."""
        return self.call("PING")

    def call(self, *command):
        """Give what a command gives."""
        with redis.Redis(port=self.port, socket_timeout=5, protocol=2) as client:
            return client.execute_command(*command)

    def kill(self):
        """End it as a power cut would end the process."""
        self.process.kill()
        self.process.wait(10)

    def pause(self):
        """Let it hang: connections stay, nothing is answered."""
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        """Let it go on."""
        self.process.send_signal(signal.SIGCONT)

    def stop(self):
        """End it, whatever state it is in."""
        self.resume()
        self.kill()


class ClusterNode(RedisServer):
    """A cluster of one: it refuses, as a cluster does, whatever would need keys from several places."""

    def __init__(self, folder):
        bus, *_ = free_ports(1)
        super().__init__(folder, "--save ''", "--appendonly no", "--cluster-enabled yes", f"--cluster-port {bus}")

    def is_ready(self):
        """Tell whether it takes commands: it has to have all places first."""
        told = self.call("CLUSTER", "INFO").decode()
        if "cluster_slots_assigned:0" in told:
            self.call("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
        return "cluster_state:ok" in told
