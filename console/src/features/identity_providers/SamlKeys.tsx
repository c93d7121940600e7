import { Button, Group, Skeleton, Stack, Text, Textarea } from '@mantine/core'
import { useForm } from '@mantine/form'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { Confirm } from '@/parts/Confirm'
import { Copy } from '@/parts/Copy'
import { Failure, FormFailure } from '@/parts/Failure'
import { FormModal } from '@/parts/FormModal'
import { showProblems } from '@/parts/form'
import { useFormat } from '@/parts/format'
import { Panel } from '@/parts/Panel'
import { Status } from '@/parts/Status'
import { addKey, keysQuery, removeKey, signWithKey } from './queries'

const MOST_KEYS = 2

/** Our keys towards a provider by SAML: one signs, and another may take over from it. */
export function SamlKeys({ providerId, may }: { providerId: string; may: boolean }) {
  const { t } = useTranslation()
  const format = useFormat()
  const client = useQueryClient()
  const found = useQuery(keysQuery(providerId))
  const [open, setOpen] = useState<'add' | { remove: string } | null>(null)
  const anew = () => void client.invalidateQueries({ queryKey: ['identity-providers', providerId, 'keys'] })
  const use = useMutation({ mutationFn: (id: string) => signWithKey(providerId, id), onSuccess: anew })
  if (found.error) return <Failure of={found.error} retry={() => void found.refetch()} />
  const keys = found.data ?? []
  return (
    <Panel
      title={t('identityProviders.saml.keys')}
      action={
        may &&
        keys.length < MOST_KEYS && (
          <Button variant="default" size="xs" onClick={() => setOpen('add')}>
            {t('identityProviders.saml.keyAdd')}
          </Button>
        )
      }
    >
      <Stack gap="sm">
        <Text fz="sm" c="dimmed">
          {t('identityProviders.saml.keysHelp')}
        </Text>
        {!found.data && <Skeleton height={32} />}
        {keys.map((key) => (
          <Group key={key.id} justify="space-between" gap="xs">
            <Group gap="sm">
              <Status tone={key.signs ? 'good' : 'waiting'}>
                {t(key.signs ? 'identityProviders.saml.keySigns' : 'identityProviders.saml.keyOpens')}
              </Status>
              <Text fz="sm">
                {t('identityProviders.saml.keyUntil', { until: format.date(key.expiresAt) })}
              </Text>
              <Copy value={key.certificate} />
            </Group>
            {may && !key.signs && (
              <Group gap="xs">
                <Button
                  variant="default"
                  size="xs"
                  loading={use.isPending}
                  onClick={() => use.mutate(key.id)}
                >
                  {t('identityProviders.saml.keyUse')}
                </Button>
                <Button variant="subtle" color="red" size="xs" onClick={() => setOpen({ remove: key.id })}>
                  {t('common.remove')}
                </Button>
              </Group>
            )}
          </Group>
        ))}
        <FormFailure of={use.error} />
      </Stack>
      {open === 'add' && <AddKey providerId={providerId} onClose={() => setOpen(null)} onDone={anew} />}
      {open !== null && open !== 'add' && (
        <Confirm
          title={t('identityProviders.saml.keyRemove')}
          action={t('common.remove')}
          act={() => removeKey(providerId, open.remove)}
          onClose={() => setOpen(null)}
          onDone={anew}
        >
          {t('identityProviders.saml.keyRemoveAsk')}
        </Confirm>
      )}
    </Panel>
  )
}

interface AddProps {
  providerId: string
  onClose: () => void
  onDone: () => void
}

/** Bring a key, or have one made. */
function AddKey({ providerId, onClose, onDone }: AddProps) {
  const { t } = useTranslation()
  const form = useForm({ initialValues: { certificate: '', privateKey: '' } })
  const { certificate, privateKey } = form.values
  const add = useMutation({
    mutationFn: () => addKey(providerId, certificate || privateKey ? { certificate, privateKey } : undefined),
    onError: (failure) => showProblems(form, failure),
    onSuccess: () => {
      onDone()
      onClose()
    },
  })
  return (
    <FormModal
      title={t('identityProviders.saml.keyAdd')}
      action={t('common.add')}
      onSubmit={form.onSubmit(() => add.mutate())}
      onClose={onClose}
      pending={add.isPending}
      failure={add.error}
    >
      <Text fz="sm">{t('identityProviders.saml.keyAddHelp')}</Text>
      {(['certificate', 'privateKey'] as const).map((name) => (
        <Textarea
          key={name}
          label={t(`identityProviders.saml.${name}`)}
          styles={{ input: { fontFamily: 'monospace' } }}
          autosize
          minRows={2}
          maxRows={6}
          {...form.getInputProps(name)}
        />
      ))}
    </FormModal>
  )
}
