import {
  Button,
  FileButton,
  Group,
  Select,
  Stack,
  Switch,
  TagsInput,
  Text,
  Textarea,
  TextInput,
} from '@mantine/core'
import { useTranslation } from 'react-i18next'
import type { Fields } from './fields'
import { NAME_ID_FORMATS } from './settings'

const ATTRIBUTES = ['groupsAttribute', 'nameAttribute', 'emailAttribute'] as const
const LEVELS = ['low', 'substantial', 'high'] as const

/** Where a provider by SAML says what it is, or what it says there. */
export function SamlReach({ get, onMetadata }: Fields & { onMetadata: (told: string) => void }) {
  const { t } = useTranslation()
  return (
    <Stack gap="sm">
      <TextInput
        label={t('identityProviders.saml.metadataUrl')}
        description={t('identityProviders.saml.metadataUrlHelp')}
        placeholder="https://login.example.org/saml/metadata"
        {...get('saml.metadataUrl')}
      />
      <Textarea
        label={t('identityProviders.saml.metadata')}
        description={t('identityProviders.saml.metadataHelp')}
        styles={{ input: { fontFamily: 'monospace' } }}
        autosize
        minRows={2}
        maxRows={6}
        {...get('saml.metadata')}
      />
      <Group gap="xs">
        <FileButton
          accept=".xml,application/xml,text/xml,application/samlmetadata+xml"
          onChange={(file) => void file?.text().then(onMetadata)}
        >
          {(props) => (
            <Button variant="default" size="xs" {...props}>
              {t('identityProviders.saml.fromFile')}
            </Button>
          )}
        </FileButton>
      </Group>
      <TextInput
        label={t('identityProviders.saml.entityId')}
        description={t('identityProviders.saml.entityIdHelp')}
        {...get('saml.entityId')}
      />
    </Stack>
  )
}

/** What a provider by SAML is asked for, and what it calls what it answers. */
export function SamlNames({ get, format }: Fields & { format: string }) {
  const { t } = useTranslation()
  const known = Object.entries(NAME_ID_FORMATS)
  return (
    <>
      <Select
        label={t('identityProviders.saml.nameIdFormat')}
        allowDeselect={false}
        data={[
          ...known.map(([name, value]) => ({
            value,
            label: t(`identityProviders.saml.names.${name as keyof typeof NAME_ID_FORMATS}`),
          })),
          { value: '', label: t('identityProviders.saml.names.any') },
          // One that was set by a program.
          ...(format && !known.some(([, value]) => value === format)
            ? [{ value: format, label: format }]
            : []),
        ]}
        {...get('saml.nameIdFormat')}
      />
      <TextInput
        label={t('identityProviders.saml.subjectAttribute')}
        placeholder={t('identityProviders.saml.subjectHelp')}
        {...get('saml.subjectAttribute')}
      />
      {ATTRIBUTES.map((name) => (
        <TextInput key={name} label={t(`identityProviders.saml.${name}`)} {...get(`saml.${name}`)} />
      ))}
    </>
  )
}

/** How sure an answer by SAML has to be. */
export function SamlDemands({ get, unsolicited }: Fields & { unsolicited: boolean }) {
  const { t } = useTranslation()
  return (
    <>
      <Select
        label={t('identityProviders.saml.assurance')}
        allowDeselect={false}
        data={[
          { value: '', label: t('identityProviders.saml.level.any') },
          ...LEVELS.map((one) => ({ value: one, label: t(`identityProviders.saml.level.${one}`) })),
        ]}
        {...get('saml.assurance')}
      />
      <TagsInput
        label={t('identityProviders.saml.privilegeScopes')}
        description={t('identityProviders.saml.privilegeScopesHelp')}
        {...get('saml.privilegeScopes')}
      />
      {(['oiosaml', 'encrypted', 'unsolicited'] as const).map((name) => (
        <Switch
          key={name}
          label={t(`identityProviders.saml.${name}`)}
          {...get(`saml.${name}`, { type: 'checkbox' })}
        />
      ))}
      {unsolicited && (
        <Text fz="sm" c="dimmed">
          {t('identityProviders.saml.unsolicitedHelp')}
        </Text>
      )}
    </>
  )
}
