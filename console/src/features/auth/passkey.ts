import type { Assertion, Attestation } from '@/api/types'

/** Whether this browser knows passkeys, reached as it is. */
export const knowsPasskeys = () =>
  typeof PublicKeyCredential !== 'undefined' && 'parseRequestOptionsFromJSON' in PublicKeyCredential

/** Have the browser ask for a passkey and give what it signed; null where the person said no. */
export async function askPasskey(options: unknown): Promise<Assertion | null> {
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(
    options as PublicKeyCredentialRequestOptionsJSON,
  )
  const made = await orNull(navigator.credentials.get({ publicKey }))
  if (!made) return null
  const { id, rawId, response } = (made as PublicKeyCredential).toJSON() as Assertion
  const { clientDataJSON, authenticatorData, signature, userHandle } = response
  return {
    id,
    rawId,
    type: 'public-key',
    response: { clientDataJSON, authenticatorData, signature, userHandle: userHandle || null },
  }
}

/** Have the browser make a passkey; null where the person said no. */
export async function makePasskey(options: unknown): Promise<Attestation | null> {
  const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(
    options as PublicKeyCredentialCreationOptionsJSON,
  )
  const made = await orNull(navigator.credentials.create({ publicKey }))
  if (!made) return null
  const { id, rawId, response } = (made as PublicKeyCredential).toJSON() as Attestation
  const { clientDataJSON, attestationObject } = response
  return { id, rawId, type: 'public-key', response: { clientDataJSON, attestationObject } }
}

/** Take a refusal of the person, or of the authenticator in their name, as an answer. */
async function orNull<T>(asked: Promise<T>): Promise<T | null> {
  try {
    return await asked
  } catch (failure) {
    const said = failure instanceof DOMException ? failure.name : ''
    if (['NotAllowedError', 'AbortError', 'InvalidStateError'].includes(said)) return null
    throw failure
  }
}
