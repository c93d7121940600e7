import { Button, Group, Modal, Select, Stack, Text } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { applicationsQuery } from '@/features/groups/queries'
import { FormFailure } from '@/parts/Failure'

interface MoveProps {
  title: string
  pending: boolean
  failure?: unknown
  onMove: (applicationId: string) => void
  onClose: () => void
}

/** Choose the application to move to. */
export function MoveModal({ title, pending, failure, onMove, onClose }: MoveProps) {
  const { t } = useTranslation()
  const applications = useQuery(applicationsQuery()).data?.items ?? []
  const [to, setTo] = useState<string | null>(null)
  return (
    <Modal opened onClose={onClose} title={title} centered>
      <Stack>
        <Text c="dimmed">{t('devices.moveHelp')}</Text>
        <Select
          label={t('fields.application')}
          searchable
          data-autofocus
          data={applications.map((a) => ({ value: a.id, label: a.name }))}
          value={to}
          onChange={setTo}
        />
        <FormFailure of={failure} />
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>
            {t('common.cancel')}
          </Button>
          <Button disabled={!to} loading={pending} onClick={() => to && onMove(to)}>
            {t('common.move')}
          </Button>
        </Group>
      </Stack>
    </Modal>
  )
}
