// Run with `node --test`. Needs `trunkmock` in the path.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { createTrunk } from './client.mjs'
import { startMock } from './mock.mjs'

const trunk = {
  name: 'Main',
  provider_name: 'carrier-x',
  domain: 'sip.carrier.example',
  username: 'user_42',
  password: 'a-secret-password'
}

let mock
before(async () => { mock = await startMock() })
after(() => mock.stop())

test('a trunk is created', async () => {
  const environment = await mock.environment()
  const created = await createTrunk(mock.baseUrl, environment.token, { ...trunk, transport: 'udp' })
  assert.equal(created.port, 5060)
  await mock.verify(environment, { operation: 'create_sip_trunk', fields: { transport: 'udp' }, count: 1 })
})

test('Retry-After is heeded', async () => {
  const environment = await mock.environment()
  await mock.fault(environment, { times: 1, status: 429, retry_after: 1 })
  const began = Date.now()
  await createTrunk(mock.baseUrl, environment.token, trunk)
  assert.ok(Date.now() - began >= 1000)
  await mock.verify(environment, { operation: 'create_sip_trunk', count: 2 }, { status: 201, count: 1 })
})

test('a refused trunk is not sent again', async () => {
  const environment = await mock.environment()
  await assert.rejects(createTrunk(mock.baseUrl, environment.token, { ...trunk, port: 0 }), /VALIDATION_ERROR/)
  await mock.verify(environment, { broken: true, count: 1 })
})

test('an environment does not see what another one does', async () => {
  const [one, other] = [await mock.environment(), await mock.environment()]
  await mock.scenario(one, 'rate-limited-for-good')
  await createTrunk(mock.baseUrl, other.token, trunk)
})
