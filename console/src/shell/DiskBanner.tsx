import { Alert, Anchor } from '@mantine/core'
import { IconAlertTriangle } from '@tabler/icons-react'
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import { useSession } from '@/features/auth/session'
import { diskNoticeQuery } from '@/features/notifications/queries'
import { useFormat } from '@/parts/format'
import classes from './Frame.module.css'

/** Tell administrators on every page that the disk fills up, before messages are refused. */
export function DiskBanner() {
  const { t } = useTranslation()
  const format = useFormat()
  const { can } = useSession()
  const notice = useQuery({ ...diskNoticeQuery, enabled: can('installation:manage') }).data
  if (!notice) return null
  const used = notice.detail?.usedShare
  return (
    <Alert
      className={classes.banner}
      icon={<IconAlertTriangle size={18} />}
      color="orange"
      title={t('noticeKind.diskFilling')}
    >
      {typeof used === 'number' && t('notices.diskUsed', { share: format.number(used * 100, 0) })}{' '}
      {t('notices.diskHelp')}{' '}
      <Anchor component={Link} to="/notices" fz="inherit" c="inherit" underline="always">
        {t('overview.allNotices')}
      </Anchor>
    </Alert>
  )
}
