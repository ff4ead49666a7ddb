// The client under test: creates a trunk, and tries again when it is told to wait.
import { setTimeout as sleep } from 'node:timers/promises'

export async function createTrunk (baseUrl, token, trunk, tries = 3) {
  const answer = await fetch(`${baseUrl}/sip-trunks`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify(trunk)
  })
  if (answer.status === 429 && tries > 1) {
    await answer.arrayBuffer()
    await sleep(Number(answer.headers.get('retry-after')) * 1000)
    return createTrunk(baseUrl, token, trunk, tries - 1)
  }
  const envelope = await answer.json()
  if (!envelope.success) throw new Error(envelope.code)
  return envelope.data
}
