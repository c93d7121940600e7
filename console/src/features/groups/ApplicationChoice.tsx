import { Button, Group, Select } from '@mantine/core'
import { useDisclosure } from '@mantine/hooks'
import { IconPlus } from '@tabler/icons-react'
import { useQuery } from '@tanstack/react-query'
import { useTranslation } from 'react-i18next'
import { useSession } from '@/features/auth/session'
import { ApplicationForm } from './ApplicationForm'
import { applicationsQuery } from './queries'

interface Props {
  value: string
  onChange: (id: string) => void
  error?: string
  help?: string
}

/** Choose an application or make one. */
export function ApplicationChoice({ value, onChange, error, help }: Props) {
  const { t } = useTranslation()
  const { organizationId, can } = useSession()
  const [making, { open, close }] = useDisclosure()
  const known = useQuery(applicationsQuery(organizationId)).data?.items
  const applications = known ?? []
  const none = known?.length === 0 && can('applications:manage')
  return (
    <>
      <Group gap="xs" align="flex-end" wrap="nowrap">
        <Select
          flex={1}
          label={t('fields.application')}
          description={none ? t('connect.noApplicationYet') : (help ?? t('connect.applicationHelp'))}
          withAsterisk
          searchable
          allowDeselect={false}
          nothingFoundMessage={t('list.nothingToChoose')}
          data={applications.map((a) => ({ value: a.id, label: a.name }))}
          value={value || null}
          onChange={(id) => onChange(id ?? '')}
          error={error}
        />
        {can('applications:manage') && (
          <Button
            variant={none ? 'filled' : 'default'}
            leftSection={<IconPlus size={16} />}
            onClick={open}
            mb={error ? 20 : 0}
          >
            {t('common.new')}
          </Button>
        )}
      </Group>
      {making && <ApplicationForm onClose={close} onMade={(made) => onChange(made.id)} />}
    </>
  )
}
