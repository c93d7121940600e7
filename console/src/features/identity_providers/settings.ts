import type { IdentityProvider, IdentityProviderBody } from '@/api/types'

export type OpenIdConnect = NonNullable<IdentityProvider['openIdConnect']>
export type Saml = NonNullable<IdentityProvider['saml']>
export type Protocol = IdentityProvider['protocol']

const PERSISTENT = 'urn:oasis:names:tc:SAML:2.0:nameid-format:persistent'
/** Kinds of names that a provider by SAML is asked for (SAML Core, section 8.3). */
export const NAME_ID_FORMATS = {
  persistent: PERSISTENT,
  x509: 'urn:oasis:names:tc:SAML:1.1:nameid-format:X509SubjectName',
  email: 'urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress',
} as const

/** What a form shows of a provider by OpenID Connect; nothing is an empty text. */
export const openIdConnectValues = (spoken?: OpenIdConnect | null) => ({
  issuer: spoken?.issuer ?? '',
  clientId: spoken?.clientId ?? '',
  scopes: spoken?.scopes ?? ['openid', 'profile', 'email'],
  groupsClaim: spoken?.groupsClaim ?? 'groups',
  nameClaim: spoken?.nameClaim ?? 'name',
  emailClaim: spoken?.emailClaim ?? 'email',
  authority: spoken?.authority ?? '',
})

/** What a form shows of a provider by SAML; nothing is an empty text. */
export const samlValues = (spoken?: Saml | null) => ({
  metadataUrl: spoken?.metadataUrl ?? '',
  metadata: spoken?.metadata ?? '',
  entityId: spoken?.entityId ?? '',
  nameIdFormat: spoken ? (spoken.nameIdFormat ?? '') : (PERSISTENT as string),
  subjectAttribute: spoken?.subjectAttribute ?? '',
  groupsAttribute: spoken?.groupsAttribute ?? 'groups',
  nameAttribute: spoken?.nameAttribute ?? 'displayName',
  emailAttribute: spoken?.emailAttribute ?? 'mail',
  encrypted: spoken?.encrypted ?? false,
  unsolicited: spoken?.unsolicited ?? false,
  oiosaml: spoken?.oiosaml ?? false,
  assurance: (spoken?.assurance ?? '') as '' | NonNullable<Saml['assurance']>,
  privilegeScopes: spoken?.privilegeScopes ?? [],
  authority: spoken?.authority ?? '',
})

type Sent = { [K in 'openIdConnect' | 'saml']?: NonNullable<IdentityProviderBody[K]> }

/** What is sent of the protocol that is spoken: an empty text is nothing. */
export function sentOf(
  protocol: Protocol,
  openIdConnect: ReturnType<typeof openIdConnectValues>,
  saml: ReturnType<typeof samlValues>,
): Sent {
  if (protocol === 'openIdConnect')
    return { openIdConnect: { ...openIdConnect, authority: openIdConnect.authority || null } }
  return {
    saml: {
      ...saml,
      metadataUrl: saml.metadataUrl || null,
      metadata: saml.metadata || null,
      entityId: saml.entityId || null,
      nameIdFormat: saml.nameIdFormat || null,
      subjectAttribute: saml.subjectAttribute || null,
      assurance: saml.assurance || null,
      authority: saml.authority || null,
    },
  }
}
