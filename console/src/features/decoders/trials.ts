import type { Message, TrialBody } from '@/api/types'

/** Make what a trial takes of a message that is kept. */
export function asTrial(message: Message): TrialBody['messages'][number] {
  const { payload, contentType, receivedAt, meta } = message
  return {
    payload: payload ?? '',
    encoding: 'base64',
    ...(contentType && { contentType }),
    ...(receivedAt && { receivedAt }),
    ...(typeof meta?.port === 'number' && { port: meta.port }),
  }
}
