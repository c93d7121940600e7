import { FileInput, SegmentedControl, Stack, Text, TextInput } from '@mantine/core'
import { useForm } from '@mantine/form'
import { useMutation } from '@tanstack/react-query'
import { useTranslation } from 'react-i18next'
import type { DeviceAuthority } from '@/api/types'
import { FormModal } from '@/parts/FormModal'
import { showProblems } from '@/parts/form'
import { told } from '@/parts/notify'
import { putRevocationList } from './queries'

interface Props {
  organizationId: string
  authority: DeviceAuthority
  onClose: () => void
  onDone: () => void
}

/** Say what an authority has revoked: upload its list, or say where it publishes it. */
export function RevocationList({ organizationId, authority, onClose, onDone }: Props) {
  const { t } = useTranslation()
  const form = useForm({
    initialValues: {
      way: (authority.revocationList.url ? 'fetch' : 'upload') as 'fetch' | 'upload',
      list: null as File | null,
      url: authority.revocationList.url ?? '',
    },
    validate: {
      list: (file, { way }) => (way === 'upload' && !file ? t('authorities.fileMissing') : null),
    },
  })
  const save = useMutation({
    mutationFn: async ({ way, list, url }: typeof form.values) =>
      putRevocationList(
        organizationId,
        authority.id,
        way === 'upload' && list ? { list: await base64(list) } : { url: url.trim() || null },
      ),
    onSuccess: () => {
      told(t('common.saved'))
      onDone()
      onClose()
    },
    onError: (failure) => showProblems(form, failure),
  })
  return (
    <FormModal
      title={t('authorities.list')}
      action={t('common.save')}
      size="md"
      onSubmit={form.onSubmit((values) => save.mutate(values))}
      onClose={onClose}
      pending={save.isPending}
      failure={save.error}
    >
      <Stack>
        <Text fz="sm" c="dimmed">
          {t('authorities.listHelp')}
        </Text>
        <SegmentedControl
          data={(['upload', 'fetch'] as const).map((way) => ({
            value: way,
            label: t(`authorities.ways.${way}`),
          }))}
          {...form.getInputProps('way')}
        />
        {form.values.way === 'upload' ? (
          <FileInput
            label={t('authorities.file')}
            description={t('authorities.fileHelp')}
            accept=".crl,.pem,.der"
            {...form.getInputProps('list')}
          />
        ) : (
          <TextInput
            label={t('authorities.url')}
            description={t('authorities.urlHelp')}
            placeholder="http://pki.example.org/plant.crl"
            {...form.getInputProps('url')}
          />
        )}
      </Stack>
    </FormModal>
  )
}

/** Read a file; PEM goes along as it is, DER in base64. */
async function base64(file: File): Promise<string> {
  const bytes = new Uint8Array(await file.arrayBuffer())
  const text = Array.from(bytes, (byte) => String.fromCharCode(byte)).join('')
  return text.trimStart().startsWith('-----BEGIN') ? text : btoa(text)
}
