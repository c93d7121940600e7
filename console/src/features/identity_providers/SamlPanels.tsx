import { Button } from '@mantine/core'
import { IconDownload } from '@tabler/icons-react'
import { useTranslation } from 'react-i18next'
import type { IdentityProvider } from '@/api/types'
import { CopyValue } from '@/parts/Copy'
import { Facts, Panel } from '@/parts/Panel'
import { NAME_ID_FORMATS, type Saml } from './settings'

/** Give what a provider by SAML is set to, in words. */
export function useSamlRows() {
  const { t } = useTranslation()
  return (spoken: Saml): [string, string | null][] => {
    const known = Object.entries(NAME_ID_FORMATS).find(([, value]) => value === spoken.nameIdFormat)
    const name = known
      ? t(`identityProviders.saml.names.${known[0] as keyof typeof NAME_ID_FORMATS}`)
      : (spoken.nameIdFormat ?? t('identityProviders.saml.names.any'))
    const demands = (['oiosaml', 'encrypted', 'unsolicited'] as const).filter((one) => spoken[one])
    return [
      [t('identityProviders.protocol'), 'SAML 2.0'],
      [
        t('identityProviders.saml.metadataUrl'),
        spoken.metadataUrl ?? t('identityProviders.saml.metadataHere'),
      ],
      ...(spoken.entityId
        ? [[t('identityProviders.saml.entityId'), spoken.entityId] as [string, string]]
        : []),
      [t('identityProviders.saml.nameIdFormat'), name],
      [t('identityProviders.saml.groupsAttribute'), spoken.groupsAttribute],
      [t('identityProviders.saml.assurance'), t(`identityProviders.saml.level.${spoken.assurance ?? 'any'}`)],
      [t('identityProviders.saml.privilegeScopes'), spoken.privilegeScopes.join(', ') || null],
      [
        t('identityProviders.saml.demands'),
        demands.map((one) => t(`identityProviders.saml.${one}`)).join('; ') || null,
      ],
    ]
  }
}

/** What a provider by SAML has to be told of us. */
export function SamlThere({ provider }: { provider: IdentityProvider }) {
  const { t } = useTranslation()
  const base = `${window.location.origin}/api/v1/auth/saml/${provider.id}`
  return (
    <Panel
      title={t('identityProviders.there')}
      action={
        <Button
          component="a"
          href={`${base}/metadata`}
          download="moorage-saml-metadata.xml"
          variant="default"
          size="xs"
          leftSection={<IconDownload size={16} />}
        >
          {t('identityProviders.saml.download')}
        </Button>
      }
    >
      <Facts
        rows={[
          [t('identityProviders.saml.ours'), <CopyValue key="ours" value={`${base}/metadata`} />],
          [t('identityProviders.saml.answers'), <CopyValue key="answers" value={`${base}/answer`} />],
          [t('identityProviders.saml.logout'), <CopyValue key="logout" value={`${base}/logout`} />],
          [
            t('identityProviders.directLink'),
            <CopyValue key="link" value={`${window.location.origin}/sign-in?provider=${provider.id}`} />,
          ],
        ]}
      />
    </Panel>
  )
}
