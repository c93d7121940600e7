import { useTranslation } from 'react-i18next'
import { useSession } from '@/features/auth/session'
import { Page } from '@/parts/Page'
import { NoticeList } from './NoticeList'

/** What asks for attention. */
export function Notices() {
  const { t } = useTranslation()
  const { organizationId } = useSession()
  return (
    <Page
      title={t('places.notices')}
      lead={t('notices.lead')}
      calls={[{ path: '/api/v1/notices', query: { state: 'open', organizationId } }]}
    >
      <NoticeList />
    </Page>
  )
}
