// Starts the mock for a test in JavaScript. It ends with this process, because it holds the mock's stdin.
import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

export async function startMock (...options) {
  const folder = await mkdtemp(join(tmpdir(), 'trunkmock-'))
  const readyFile = join(folder, 'ready.json')
  const child = spawn(
    'trunkmock',
    ['--port', '0', '--ready-file', readyFile, '--exit-with-stdin', '--log-level', 'warning', ...options],
    { stdio: ['pipe', 'ignore', 'inherit'] }
  )
  const ended = new Promise(resolve => child.once('exit', resolve))
  const baseUrl = await waitFor(readyFile, child)
  const controls = baseUrl.replace('/api/v1', '/_mock')
  return {
    baseUrl,
    // An environment of a test's own: its name and token.
    environment: async () => (await send(controls, 'POST', '/environments', {})).data,
    fault: (environment, fault) => send(controls, 'POST', `/environments/${environment.name}/faults`, fault),
    scenario: (environment, name) => send(controls, 'PUT', `/environments/${environment.name}/scenario`, { name }),
    verify: (environment, ...expect) =>
      send(controls, 'POST', '/journal/verify', { environment: environment.name, expect }),
    stop: async () => {
      child.stdin.end()
      await ended
      await rm(folder, { recursive: true })
    }
  }
}

async function waitFor (readyFile, child) {
  while (child.exitCode === null) {
    try {
      return JSON.parse(await readFile(readyFile, 'utf8')).base_url
    } catch {
      await sleep(50)
    }
  }
  throw new Error('the mock did not start')
}

async function send (controls, method, path, body) {
  const answer = await fetch(controls + path, {
    method,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body)
  })
  const envelope = await answer.json()
  if (!answer.ok) throw new Error(envelope.message)
  return envelope
}
