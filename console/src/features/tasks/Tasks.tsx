import { useTranslation } from 'react-i18next'
import { Page } from '@/parts/Page'
import { TaskList } from './TaskList'

/** Long work, with its progress. */
export function Tasks() {
  const { t } = useTranslation()
  return (
    <Page title={t('places.tasks')} lead={t('tasks.lead')} calls={[{ path: '/api/v1/tasks' }]}>
      <TaskList />
    </Page>
  )
}
