import {
  ActionIcon,
  Button,
  Menu,
  SegmentedControl,
  Select,
  Skeleton,
  Stack,
  Table,
  Text,
  Textarea,
  TextInput,
} from '@mantine/core'
import { useForm } from '@mantine/form'
import { IconDots, IconPlus } from '@tabler/icons-react'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { Credential, ShownCredential } from '@/api/types'
import { Confirm } from '@/parts/Confirm'
import { DayInput } from '@/parts/DayInput'
import { Failure } from '@/parts/Failure'
import { FormModal } from '@/parts/FormModal'
import { showProblems } from '@/parts/form'
import { useFormat } from '@/parts/format'
import { Panel } from '@/parts/Panel'
import { SecretModal } from '@/parts/Secret'
import { Status } from '@/parts/Status'
import { Time } from '@/parts/Time'
import {
  addCertificate,
  credentialsQuery,
  issueCredential,
  revokeCredential,
  rotateCredential,
} from './queries'

/** How a device proves who it is; secrets are shown once, when they are made. */
export function Credentials({ deviceId }: { deviceId: string }) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const format = useFormat()
  const found = useQuery(credentialsQuery(deviceId))
  const [making, setMaking] = useState(false)
  const [rotating, setRotating] = useState<Credential | null>(null)
  const [revoking, setRevoking] = useState<Credential | null>(null)
  const [shown, setShown] = useState<ShownCredential | null>(null)
  const refresh = () => void client.invalidateQueries({ queryKey: ['devices', deviceId, 'credentials'] })
  return (
    <Panel
      title={t('credentials.title')}
      action={
        <Button
          variant="light"
          size="compact-sm"
          leftSection={<IconPlus size={14} />}
          onClick={() => setMaking(true)}
        >
          {t('credentials.new')}
        </Button>
      }
    >
      {found.error ? (
        <Failure of={found.error} />
      ) : !found.data ? (
        <Skeleton height={80} />
      ) : found.data.length === 0 ? (
        <Text c="dimmed">{t('credentials.none')}</Text>
      ) : (
        <Table>
          <Table.Tbody>
            {found.data.map((credential) => (
              <Table.Tr key={credential.id}>
                <Table.Td>
                  <Text>{credential.label || t(`credentialKind.${credential.kind}`)}</Text>
                  <Text fz="sm" c="dimmed">
                    {t(`credentialKind.${credential.kind}`)}{' '}
                    <Text span ff="monospace" fz="sm">
                      {credential.userName ?? ''} {short(credential)}
                    </Text>
                    {credential.authorityId && ` ${t('credentials.byAuthority')}`}
                  </Text>
                  {credential.revokedAt && (
                    <Status tone="bad">
                      {t('credentials.revoked', { at: format.date(credential.revokedAt) })}
                    </Status>
                  )}
                  {credential.expiresAt && !credential.revokedAt && (
                    <Status tone={expired(credential.expiresAt) ? 'bad' : 'quiet'}>
                      {t(expired(credential.expiresAt) ? 'credentials.expired' : 'credentials.expires', {
                        at: format.date(credential.expiresAt),
                      })}
                    </Status>
                  )}
                  {credential.previousUntil && !expired(credential.previousUntil) && (
                    <Status tone="waiting">
                      {t('credentials.previousUntil', {
                        at: format.instant(credential.previousUntil, false),
                      })}
                    </Status>
                  )}
                </Table.Td>
                <Table.Td>
                  <Time at={credential.createdAt} fz="sm" c="dimmed" />
                </Table.Td>
                <Table.Td w={44}>
                  {!credential.revokedAt && (
                    <Menu position="bottom-end" shadow="md">
                      <Menu.Target>
                        <ActionIcon aria-label={t('common.more')}>
                          <IconDots size={16} />
                        </ActionIcon>
                      </Menu.Target>
                      <Menu.Dropdown>
                        {credential.kind !== 'certificate' && (
                          <Menu.Item onClick={() => setRotating(credential)}>
                            {t('credentials.rotate')}
                          </Menu.Item>
                        )}
                        <Menu.Item c="red" onClick={() => setRevoking(credential)}>
                          {t('credentials.revoke')}
                        </Menu.Item>
                      </Menu.Dropdown>
                    </Menu>
                  )}
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      )}
      {making && (
        <NewCredential
          deviceId={deviceId}
          onClose={() => setMaking(false)}
          onMade={(made) => {
            setMaking(false)
            if (made) setShown(made)
            refresh()
          }}
        />
      )}
      {rotating && (
        <Rotate
          deviceId={deviceId}
          credential={rotating}
          onClose={() => setRotating(null)}
          onMade={(made) => {
            setRotating(null)
            setShown(made)
            refresh()
          }}
        />
      )}
      {revoking && (
        <Confirm
          title={t('credentials.revoke')}
          action={t('credentials.revoke')}
          act={() => revokeCredential(deviceId, revoking.id)}
          onClose={() => setRevoking(null)}
          onDone={refresh}
        >
          {t('credentials.revokeAsk')}
        </Confirm>
      )}
      {shown && (
        <SecretModal title={t('credentials.shown')} secret={shown.secret} onClose={() => setShown(null)}>
          {shown.credential.userName && t('credentials.userName', { name: shown.credential.userName })}
        </SecretModal>
      )}
    </Panel>
  )
}

interface NewProps {
  deviceId: string
  onClose: () => void
  /** Is given what is shown once; nothing of a certificate. */
  onMade: (made: ShownCredential | null) => void
}

function NewCredential({ deviceId, onClose, onMade }: NewProps) {
  const { t } = useTranslation()
  const form = useForm({
    initialValues: {
      kind: 'key' as Credential['kind'],
      label: '',
      certificate: '',
      userName: '',
      expiresAt: null as string | null,
    },
  })
  const make = useMutation({
    mutationFn: async ({ kind, label, certificate, expiresAt, userName }: typeof form.values) => {
      if (kind === 'certificate') {
        await addCertificate(deviceId, { label, certificate })
        return null
      }
      return issueCredential(deviceId, {
        kind,
        label,
        expiresAt,
        ...(kind === 'password' && userName && { userName }),
      })
    },
    onSuccess: onMade,
    onError: (failure) => showProblems(form, failure),
  })
  return (
    <FormModal
      title={t('credentials.new')}
      action={t('common.create')}
      size="md"
      onSubmit={form.onSubmit((values) => make.mutate(values))}
      onClose={onClose}
      pending={make.isPending}
      failure={make.error}
    >
      <Stack>
        <SegmentedControl
          data={(['key', 'password', 'certificate'] as const).map((kind) => ({
            value: kind,
            label: t(`credentialKind.${kind}`),
          }))}
          {...form.getInputProps('kind')}
        />
        <Text fz="sm" c="dimmed">
          {t(`credentials.help.${form.values.kind}`)}
        </Text>
        <TextInput
          label={t('fields.label')}
          description={t('credentials.labelHelp')}
          {...form.getInputProps('label')}
        />
        {form.values.kind === 'password' && (
          <TextInput
            label={t('fields.userName')}
            description={t('credentials.userNameHelp')}
            {...form.getInputProps('userName')}
          />
        )}
        {form.values.kind === 'certificate' ? (
          <Textarea
            label={t('credentials.pem')}
            placeholder="-----BEGIN CERTIFICATE-----"
            required
            autosize
            minRows={4}
            maxRows={10}
            styles={{ input: { fontFamily: 'monospace' } }}
            {...form.getInputProps('certificate')}
          />
        ) : (
          <DayInput
            label={t('credentials.lastDay')}
            description={t('credentials.lastDayHelp')}
            {...form.getInputProps('expiresAt')}
          />
        )}
      </Stack>
    </FormModal>
  )
}

/** The beginning of a certificate's fingerprint, which is long; of others the end of the secret. */
const short = ({ kind, hint }: Credential) => (kind === 'certificate' ? `${hint.slice(0, 16)}…` : hint)

const expired = (at: string) => Date.parse(at) <= Date.now()

const OVERLAPS = { none: 'PT0S', hour: 'PT1H', day: 'P1D', week: 'P7D', month: 'P30D' } as const

/** Make a new secret; the old one may go on for a while, until the device has the new one. */
function Rotate({ deviceId, credential, onClose, onMade }: NewProps & { credential: Credential }) {
  const { t } = useTranslation()
  const [overlap, setOverlap] = useState<keyof typeof OVERLAPS>('day')
  const rotate = useMutation({
    mutationFn: () => rotateCredential(deviceId, credential.id, OVERLAPS[overlap]),
    onSuccess: onMade,
  })
  return (
    <FormModal
      title={t('credentials.rotate')}
      action={t('credentials.rotate')}
      size="md"
      onSubmit={(event) => {
        event?.preventDefault()
        rotate.mutate()
      }}
      onClose={onClose}
      pending={rotate.isPending}
      failure={rotate.error}
    >
      <Select
        label={t('credentials.overlap')}
        description={t('credentials.overlapHelp')}
        allowDeselect={false}
        data={(Object.keys(OVERLAPS) as (keyof typeof OVERLAPS)[]).map((one) => ({
          value: one,
          label: t(`credentials.overlaps.${one}`),
        }))}
        value={overlap}
        onChange={(next) => setOverlap((next ?? 'day') as keyof typeof OVERLAPS)}
      />
    </FormModal>
  )
}
