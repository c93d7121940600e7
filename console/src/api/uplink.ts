import { loadFailures } from '@/i18n'
import { Problem } from './problem'

/** A command as the device door hands it over. */
export interface Command {
  id: string
  /** Bytes where the device's decoder encoded it. */
  payload: { code?: string; kind?: string; payload?: unknown; base64?: string }
}

/** Send a message as a device, with its own key; gives the commands that wait. Throws Problem. */
export async function sendUp(key: string, body: unknown): Promise<Command[]> {
  const answer = await post(key, '?downlinks=1', body)
  return (answer as { downlinks?: Command[] }).downlinks ?? []
}

/** Answer a command as the device that got it. Throws Problem. */
export async function answerCommand(key: string, id: string, result: unknown): Promise<void> {
  await post(key, `/op/${id}/result`, { state: 'completed', result })
}

async function post(key: string, path: string, body: unknown): Promise<unknown> {
  let answer: Response
  try {
    answer = await fetch(`/ingest/v1/up${path}`, {
      method: 'POST',
      // A device has its key and nothing else: no cookie of somebody who is signed in here.
      credentials: 'omit',
      headers: { Authorization: `Bearer ${key}`, 'Content-Type': 'application/json' },
      body: JSON.stringify(body),
    })
  } catch {
    throw Problem.unreachable()
  }
  const told = await answer.json().catch(() => null)
  if (!answer.ok) {
    await loadFailures()
    throw Problem.of(answer.status, told)
  }
  return told
}
