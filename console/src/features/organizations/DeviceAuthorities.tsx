import { ActionIcon, Button, Group, Menu, Skeleton, Stack, Text, Textarea, TextInput } from '@mantine/core'
import { useForm } from '@mantine/form'
import { IconDots, IconPlus } from '@tabler/icons-react'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { DeviceAuthority } from '@/api/types'
import { Confirm } from '@/parts/Confirm'
import { CopyValue } from '@/parts/Copy'
import { Failure } from '@/parts/Failure'
import { FormModal } from '@/parts/FormModal'
import { showProblems } from '@/parts/form'
import { useFormat } from '@/parts/format'
import { Panel } from '@/parts/Panel'
import { Status } from '@/parts/Status'
import { authoritiesQuery, registerAuthority, removeAuthority } from './queries'
import { RevocationList } from './RevocationList'

const PEM = {
  placeholder: '-----BEGIN CERTIFICATE-----',
  required: true,
  autosize: true,
  minRows: 3,
  maxRows: 8,
  styles: { input: { fontFamily: 'monospace' } },
} as const

/** Who signs certificates of an organization's devices, and what of these is revoked. */
export function DeviceAuthorities({ organizationId, may }: { organizationId: string; may: boolean }) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const format = useFormat()
  const found = useQuery(authoritiesQuery(organizationId))
  const [adding, setAdding] = useState(false)
  const [listing, setListing] = useState<DeviceAuthority | null>(null)
  const [removing, setRemoving] = useState<DeviceAuthority | null>(null)
  const refresh = () =>
    void client.invalidateQueries({ queryKey: ['organizations', organizationId, 'authorities'] })
  return (
    <Panel
      title={t('authorities.title')}
      action={
        may && (
          <Button
            variant="light"
            size="compact-sm"
            leftSection={<IconPlus size={14} />}
            onClick={() => setAdding(true)}
          >
            {t('authorities.new')}
          </Button>
        )
      }
    >
      <Stack>
        {found.error ? (
          <Failure of={found.error} />
        ) : !found.data ? (
          <Skeleton height={80} />
        ) : (
          found.data.length === 0 && <Text c="dimmed">{t('authorities.none')}</Text>
        )}
        {found.data?.map((authority) => {
          const { revocationList: list } = authority
          const ended = past(authority.expiresAt)
          return (
            <Group key={authority.id} justify="space-between" align="flex-start" wrap="nowrap">
              <Stack gap={2} miw={0}>
                <Text>{authority.name}</Text>
                <Text fz="sm" c="dimmed" style={{ overflowWrap: 'anywhere' }}>
                  {authority.subject}
                </Text>
                <Status tone={ended ? 'bad' : 'quiet'}>
                  {t(ended ? 'authorities.expired' : 'authorities.expires', {
                    at: format.date(authority.expiresAt),
                  })}
                </Status>
                {list.issuedAt && (
                  <Status tone={list.nextAt && past(list.nextAt) ? 'warning' : 'quiet'}>
                    {t('authorities.revoked', { count: list.revoked, at: format.date(list.issuedAt) })}
                  </Status>
                )}
                {list.nextAt && past(list.nextAt) && (
                  <Text fz="sm" c="dimmed">
                    {t('authorities.stale', { at: format.date(list.nextAt) })}
                  </Text>
                )}
                {list.problem && (
                  <>
                    <Status tone="bad">{t('authorities.problem')}</Status>
                    <Text fz="sm" style={{ overflowWrap: 'anywhere' }}>
                      {list.problem}
                    </Text>
                  </>
                )}
              </Stack>
              {may && (
                <Menu position="bottom-end" shadow="md">
                  <Menu.Target>
                    <ActionIcon aria-label={`${t('common.more')}: ${authority.name}`}>
                      <IconDots size={16} />
                    </ActionIcon>
                  </Menu.Target>
                  <Menu.Dropdown>
                    <Menu.Item onClick={() => setListing(authority)}>{t('authorities.list')}</Menu.Item>
                    <Menu.Item c="red" onClick={() => setRemoving(authority)}>
                      {t('authorities.remove')}
                    </Menu.Item>
                  </Menu.Dropdown>
                </Menu>
              )}
            </Group>
          )
        })}
      </Stack>
      {adding && (
        <NewAuthority organizationId={organizationId} onClose={() => setAdding(false)} onMade={refresh} />
      )}
      {listing && (
        <RevocationList
          organizationId={organizationId}
          authority={listing}
          onClose={() => setListing(null)}
          onDone={refresh}
        />
      )}
      {removing && (
        <Confirm
          title={t('authorities.remove')}
          action={t('authorities.remove')}
          name={removing.name}
          act={() => removeAuthority(organizationId, removing.id)}
          onClose={() => setRemoving(null)}
          onDone={refresh}
        >
          {t('authorities.removeAsk')}
        </Confirm>
      )}
    </Panel>
  )
}

const past = (at: string) => Date.parse(at) <= Date.now()

interface NewProps {
  organizationId: string
  onClose: () => void
  onMade: () => void
}

function NewAuthority({ organizationId, onClose, onMade }: NewProps) {
  const { t } = useTranslation()
  const form = useForm({
    initialValues: { name: '', certificate: '', proof: '' },
    validate: { name: (v) => (v.trim() ? null : t('forms.nameMissing')) },
  })
  const make = useMutation({
    mutationFn: (values: typeof form.values) => registerAuthority(organizationId, values),
    onSuccess: () => {
      onMade()
      onClose()
    },
    onError: (failure) => showProblems(form, failure),
  })
  return (
    <FormModal
      title={t('authorities.new')}
      action={t('authorities.register')}
      onSubmit={form.onSubmit((values) => make.mutate(values))}
      onClose={onClose}
      pending={make.isPending}
      failure={make.error}
    >
      <Stack>
        <TextInput label={t('fields.name')} withAsterisk {...form.getInputProps('name')} />
        <Textarea
          label={t('authorities.certificate')}
          description={t('authorities.certificateHelp')}
          {...PEM}
          {...form.getInputProps('certificate')}
        />
        <Stack gap={4}>
          <Text fz="sm">{t('authorities.proofHelp')}</Text>
          <CopyValue value={organizationId} />
        </Stack>
        <Textarea label={t('authorities.proof')} {...PEM} {...form.getInputProps('proof')} />
      </Stack>
    </FormModal>
  )
}
