"""What a test may do to the mock itself: the state of environments, their faults and scenarios, the journal, the clock.

No HTTP: `control_api` and `running` are its two faces. Whatever is wrong is raised as a `Refusal`.
"""

import asyncio
import functools
import hmac
import logging
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import orjson

from mockserver import trunks
from mockserver.bodies import JsonBody
from mockserver.carrier import Carriers, MemoryCarriers
from mockserver.clock import BadTime, Clock, ClockSettings, Ids, NoClockSettings, parse_time, show_time
from mockserver.documents import resolved
from mockserver.e164 import international
from mockserver.environments import PLANS, TOKEN_PREFIX, Environment, Environments
from mockserver.errors import EnvironmentNotFound, Refusal, ServiceUnavailable, ValidationFailed
from mockserver.faults import Fault, Faults, MemoryFaults
from mockserver.handlers import full
from mockserver.journal import Journal, MemoryJournal, Selection
from mockserver.metrics import Metrics
from mockserver.redaction import Seal
from mockserver.reports import MemoryReports, Reports, Summary, summary
from mockserver.scenarios import BadScenario, Scenario, Scenarios
from mockserver.store import MemoryStore, Store
from mockserver.trunks import Did, Trunk

CARE_SECONDS = 1.0  # between two looks for unused environments, and at how other replicas' clocks are set

log = logging.getLogger("trunkmock")

_STATE = ("is_active", "is_verified", "health_status", "last_health_check_at", "created_at", "updated_at")
_TIMES = ("last_health_check_at", "created_at", "updated_at")


@dataclass
class Control:
    """The parts of a mock that can be steered. `token` guards them; `scenario` is how every environment starts."""

    environments: Environments
    store: Store = field(default_factory=MemoryStore)
    seal: Seal = field(default_factory=Seal)
    clock: Clock = field(default_factory=Clock)
    clock_settings: ClockSettings = field(default_factory=NoClockSettings)
    ids: Ids = field(default_factory=Ids)
    carriers: Carriers = field(default_factory=MemoryCarriers)
    faults: Faults = field(default_factory=MemoryFaults)
    journal: Journal = field(default_factory=MemoryJournal)
    scenarios: Scenarios = field(default_factory=Scenarios)
    scenario: Scenario | None = None
    token: str | None = None
    reports: Reports = field(default_factory=MemoryReports)
    metrics: Metrics = field(default_factory=Metrics)
    is_closing: Callable[[], bool] = bool

    def __post_init__(self) -> None:
        self._start_time = self.clock.setting
        self._create: JsonBody | None = None

    async def prepare(self, names: Iterable[str]) -> None:
        """Let these environments start as every environment does."""
        for name in names:
            await self._start(name)

    def admits(self, authorization: bytes) -> bool:
        """Tell whether an Authorization header has the control token, in a time that does not depend on it."""
        expected = f"bearer {self.token}".encode()
        scheme, _, credentials = authorization.partition(b" ")
        return hmac.compare_digest(scheme.lower() + b" " + credentials.strip(), expected)

    async def environment(self, name: str) -> Environment:
        """Give the environment of this name; EnvironmentNotFound."""
        environment = await self.environments.get(name)
        if environment is None:
            raise EnvironmentNotFound
        return environment

    async def environment_names(self) -> list[str]:
        """Give the names of all environments."""
        return await self.environments.names()

    async def create_environment(self, wanted: Mapping[str, Any]) -> tuple[Environment, str]:
        """Make an environment; give it with its token, which is not kept. EnvironmentAlreadyExists."""
        members = {"plan": "enterprise", "allow_custom_sip_trunks": True, **wanted}
        members.setdefault("name", f"environment-{secrets.token_hex(6)}")
        members.setdefault("requests_per_minute", PLANS[members["plan"]])
        environment, token = Environment(**members), _new_token()
        await self.environments.add(token, environment)
        await self._forget(environment.name)  # what may be left of an earlier one of this name
        await self._start(environment.name)
        return environment, token

    async def change_environment(self, name: str, change: Mapping[str, Any]) -> Environment:
        """Suspend an environment, let it go on, or change what it may have; EnvironmentNotFound.

        A new plan brings its limit of requests along, unless that is changed as well.
        """
        members = dict(change)
        if "plan" in members:
            members.setdefault("requests_per_minute", PLANS[members["plan"]])
        return await self.environments.change(name, lambda environment: replace(environment, **members))

    async def delete_environment(self, name: str) -> None:
        """Remove an environment and all that is in it; EnvironmentNotFound."""
        if not await self.environments.remove(name, functools.partial(self._forget, name)):
            raise EnvironmentNotFound

    def look_after_itself(self) -> None:
        """Remove unused environments and set the clock as others have, for as long as the running event loop runs."""
        self._care = asyncio.get_running_loop().create_task(self._look_after())  # a loop does not keep its tasks

    async def _look_after(self) -> None:
        while True:
            await asyncio.sleep(CARE_SECONDS)
            try:
                await self._set_the_clock_as_others()
                for name in await self.delete_idle():
                    log.info("environment %s was not used any more and is deleted", name)
            except ServiceUnavailable:
                pass  # next time
            except Exception:
                log.exception("the mock could not look after itself")

    async def delete_idle(self) -> list[str]:
        """Remove the environments that nobody has used for too long, and give their names."""
        idle = await self.environments.idle() if await self.environments.is_due() else []
        empty = [functools.partial(self._forget, name) for name in idle]
        gone = [await self.environments.remove(*one, if_idle=True) for one in zip(idle, empty, strict=True)]
        return [name for name, is_gone in zip(idle, gone, strict=True) if is_gone]

    async def reset(self, name: str) -> None:
        """Put an environment back to how it started; EnvironmentNotFound."""
        await self.environment(name)
        await self._forget(name)
        await self._tell(name, None)
        await self.environments.restore(name)
        await self._start(name)

    async def reset_all(self) -> None:
        """Put every environment and the clock back to how they started."""
        for name in await self.environments.names():
            await self.reset(name)
        await self.journal.clear()
        await self.reset_clock()

    async def rotate_token(self, name: str) -> str:
        """Replace the environment's token, and give the new one; EnvironmentNotFound."""
        token = _new_token()
        await self.environments.rotate(name, token)
        return token

    async def describe(self, name: str) -> dict[str, Any]:
        """Give what there is to tell of an environment; EnvironmentNotFound."""
        environment = await self.environment(name)
        seen = await self.environments.last_seen(name)
        return {
            **asdict(environment),
            "trunks": await self.store.count_trunks(name),
            "last_seen_at": None if seen is None else show_time(seen),
        }

    async def export(self, name: str) -> list[dict[str, Any]]:
        """Give all trunks with their DIDs, without passwords; EnvironmentNotFound."""
        await self.environment(name)
        return [await self._exported(name, trunk) for trunk in list(await self.store.trunks(name))]

    async def seed(self, name: str, wanted: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Add trunks and DIDs, all or none, and give them as `export` does; EnvironmentNotFound, ValidationFailed."""
        await self.environment(name)
        made = [self._seeded(name, number, dict(one)) for number, one in enumerate(wanted)]
        wanted_ids = [trunk.id for trunk, _ in made]
        wanted_numbers = [did.number for _, dids in made for did in dids]
        _refuse_twins(made, *await self.store.taken(name, wanted_ids, wanted_numbers))
        await self._add_all(name, made)
        return [await self._exported(name, trunk) for trunk, _ in made]

    async def _add_all(self, name: str, made: list[tuple[Trunk, list[Did]]]) -> None:
        """Add all, or take away again what was added if another replica was faster with one of them."""
        done: list[Trunk | Did] = []
        try:
            for trunk, dids in made:
                await self.store.add_trunk(name, trunk)
                done.append(trunk)
                for did in dids:
                    await self.store.add_did(name, did)
                    done.append(did)
        except Refusal:
            for one in reversed(done):
                if isinstance(one, Trunk):
                    await self.store.delete_trunk(name, one.id)
                else:
                    await self.store.mark_did(name, one.trunk_id, one.id, in_use=False)
                    await self.store.delete_did(name, one.trunk_id, one.id)
            raise

    async def mark_did(self, name: str, trunk_id: str, did_id: str, *, in_use: bool) -> dict[str, Any]:
        """Say whether an active agent uses a DID; EnvironmentNotFound, TrunkNotFound, DidNotFound."""
        await self.environment(name)
        return _shown_did(await self.store.mark_did(name, trunk_id, did_id, in_use=in_use))

    async def start_scenario(self, name: str, scenario: Scenario) -> None:
        """Replace the environment's faults and carrier by those of a scenario; EnvironmentNotFound."""
        await self.end_scenario(name)
        await self._tell(name, scenario.name)
        for fault in scenario.faults:
            await self.faults.add(name, fault)
        for own in scenario.carrier:
            await self.carriers.set(name, own.domain, own.answers)

    async def end_scenario(self, name: str) -> None:
        """Let everything go right, and the domains decide; EnvironmentNotFound."""
        await self._tell(name, None)
        await self.faults.clear(name)
        await self.carriers.reset(name)

    async def _tell(self, name: str, scenario: str | None) -> None:
        """Let the environment say which scenario is on; EnvironmentNotFound."""
        if (await self.environment(name)).scenario != scenario:
            await self.environments.change(name, lambda environment: replace(environment, scenario=scenario))

    async def keep_report(self, name: str, document: Mapping[str, Any]) -> Summary:
        """Keep what is shown of a report of the kit, in place of the last one; EnvironmentNotFound."""
        await self.environment(name)
        found = summary(document, time.time())
        await self.reports.keep(name, found)
        return found

    def find_scenario(self, name: str) -> Scenario:
        """Give the scenario of this name; ValidationFailed."""
        try:
            return self.scenarios.get(name)
        except BadScenario:
            raise ValidationFailed({"name": [f"name must be one of {', '.join(self.scenarios.names)}"]}) from None

    async def add_fault(self, name: str, document: Mapping[str, Any]) -> Fault:
        """Let matching requests go wrong; EnvironmentNotFound, ValidationFailed."""
        await self.environment(name)
        fault = Fault.read(document)
        await self.faults.add(name, fault)
        return fault

    async def move_clock(self, change: Mapping[str, Any]) -> None:
        """Set the clock, or move it on; ValidationFailed. Other replicas follow within `CARE_SECONDS`."""
        await self._set_the_clock_as_others()
        frozen = change.get("frozen", True if "now" in change else self.clock.is_frozen)
        name = "now" if "now" in change else "advance_seconds"
        try:
            start = parse_time(change["now"]) if "now" in change else self.clock()
            self.clock.set(start + change.get("advance_seconds", 0), frozen=frozen)
        except BadTime as error:
            raise ValidationFailed({name: [f"{name} {error}"]}) from None
        await self.clock_settings.put(self.clock.setting)

    async def reset_clock(self, *, to_the_real_time: bool = False) -> None:
        """Put the clock back to how it started, or to the real time."""
        self.clock.setting = (0.0, None) if to_the_real_time else self._start_time
        await self.clock_settings.put(self.clock.setting)

    async def _set_the_clock_as_others(self) -> None:
        setting = await self.clock_settings.get()
        if setting is not None:
            self.clock.setting = setting

    async def _start(self, name: str) -> None:
        if self.scenario:
            await self.start_scenario(name, self.scenario)

    async def _forget(self, name: str) -> None:
        """Forget all that is in an environment."""
        await self.store.clear(name)
        self.ids.restart(name)
        await self.journal.clear(Selection(environment=name))
        await self.faults.clear(name)
        await self.carriers.reset(name)
        await self.reports.forget(name)

    async def _exported(self, name: str, trunk: Trunk) -> dict[str, Any]:
        dids = [_shown_did(did) for did in await self.store.dids(name, trunk.id)]
        return {**full(trunk), "dids": dids}

    def _seeded(self, name: str, number: int, wanted: dict[str, Any]) -> tuple[Trunk, list[Did]]:
        """Give the trunk and the DIDs that are wanted; ValidationFailed."""
        dids, trunk_id = wanted.pop("dids", []), wanted.pop("id", None) or self.ids(name)
        state = {key: wanted.pop(key) for key in _STATE if key in wanted}
        for key in _TIMES:
            if state.get(key) is not None:
                state[key] = _seconds(state[key], f"trunks.{number}.{key}")
        if state.get("is_active") and not state.get("is_verified"):
            way = f"trunks.{number}.is_active"
            raise ValidationFailed({way: [f"{way} must be false unless the trunk is verified"]})
        usual = {
            "name": f"Trunk {number + 1}",
            "provider_name": "carrier-x",
            "domain": "sip.carrier.example",
            "username": f"user_{number + 1}",
            "password": secrets.token_hex(8),
        }
        fields = self._checked(usual | wanted)
        trunk = trunks.create(fields, trunk_id, state.get("created_at") or _stamp(self.clock()))
        return trunk._replace(**state), [self._seeded_did(name, trunk_id, did) for did in dids]

    def _checked(self, wanted: Mapping[str, Any]) -> dict[str, Any]:
        if self._create is None:
            import openapi

            schemas = openapi.load()["components"]["schemas"]
            self._create = JsonBody(resolved(schemas["TrunkCreate"], schemas), self.seal)
        return self._create.fields(orjson.dumps(wanted))

    def _seeded_did(self, name: str, trunk_id: str, did: Mapping[str, Any]) -> Did:
        did_id, number = did.get("id") or self.ids(name), did["number"]
        return Did(did_id, trunk_id, number, did["country_code"], international(number), did.get("in_use", False))


def _new_token() -> str:
    return TOKEN_PREFIX + secrets.token_urlsafe(24)


def _stamp(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(int(seconds)))


def _seconds(text: str, way: str) -> str:
    """Give an RFC 3339 time as the API writes it; ValidationFailed."""
    try:
        return _stamp(parse_time(text))
    except (BadTime, ValueError, OverflowError, OSError):
        raise ValidationFailed({way: [f"{way} must be a time as RFC 3339 has it, or null"]}) from None


def _shown_did(did: Did) -> dict[str, Any]:
    return {
        "id": did.id,
        "number": did.number,
        "country_code": did.country_code,
        "formatted_number": did.formatted_number,
        "in_use": did.in_use,
    }


def _refuse_twins(made: list[tuple[Trunk, list[Did]]], ids: set[str], numbers: set[str]) -> None:
    """Raise ValidationFailed if an id or a number would be there twice."""
    errors: dict[str, list[str]] = {}
    for place, (trunk, dids) in enumerate(made):
        if trunk.id in ids:
            errors[f"trunks.{place}.id"] = [f"trunks.{place}.id must not be that of another trunk"]
        ids.add(trunk.id)
        for index, did in enumerate(dids):
            way = f"trunks.{place}.dids.{index}"
            if did.number in numbers:
                errors[f"{way}.number"] = [f"{way}.number must not be on another trunk of the environment"]
            if did.id in ids:
                errors[f"{way}.id"] = [f"{way}.id must not be that of another DID"]
            numbers.add(did.number)
            ids.add(did.id)
    if errors:
        raise ValidationFailed(errors)
