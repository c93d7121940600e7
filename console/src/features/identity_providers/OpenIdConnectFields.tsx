import { PasswordInput, TagsInput, TextInput } from '@mantine/core'
import { useTranslation } from 'react-i18next'
import type { Fields } from './fields'

const CLAIMS = ['groupsClaim', 'nameClaim', 'emailClaim'] as const

/** Where a provider by OpenID Connect is, and how we show ourselves there. */
export function OpenIdConnectReach({ get, hasSecret }: Fields & { hasSecret: boolean }) {
  const { t } = useTranslation()
  return (
    <>
      <TextInput
        label={t('identityProviders.issuer')}
        description={t('identityProviders.issuerHelp')}
        placeholder="https://login.example.org/realms/town"
        withAsterisk
        {...get('openIdConnect.issuer')}
      />
      <TextInput
        label={t('identityProviders.clientId')}
        autoComplete="off"
        withAsterisk
        {...get('openIdConnect.clientId')}
      />
      <PasswordInput
        label={t('identityProviders.clientSecret')}
        placeholder={hasSecret ? t('userStores.secretSet') : undefined}
        autoComplete="new-password"
        {...get('clientSecret')}
      />
    </>
  )
}

/** What is asked for, and what the provider calls what it answers. */
export function OpenIdConnectNames({ get }: Fields) {
  const { t } = useTranslation()
  return (
    <>
      <TagsInput label={t('identityProviders.scopes')} {...get('openIdConnect.scopes')} />
      {CLAIMS.map((name) => (
        <TextInput key={name} label={t(`identityProviders.${name}`)} {...get(`openIdConnect.${name}`)} />
      ))}
    </>
  )
}
