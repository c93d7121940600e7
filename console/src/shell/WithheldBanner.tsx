import { Alert, Anchor } from '@mantine/core'
import { IconShieldOff } from '@tabler/icons-react'
import { Link } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import { useSession } from '@/features/auth/session'
import classes from './Frame.module.css'

/** Say on every page that an organization, or the installation, gives more once a second factor was shown. */
export function WithheldBanner() {
  const { t } = useTranslation()
  const { me } = useSession()
  if (me.withheld.length === 0 && !me.installationWithheld) return null
  return (
    <Alert
      className={classes.banner}
      color="yellow"
      icon={<IconShieldOff size={18} />}
      title={
        me.installationWithheld
          ? t('secondFactor.withheldEverywhere')
          : t('secondFactor.withheld', { count: me.withheld.length })
      }
    >
      {t('secondFactor.withheldHelp')}{' '}
      <Anchor component={Link} to="/settings">
        {t('places.settings')}
      </Anchor>
    </Alert>
  )
}
