import { Notification } from '@mantine/core'
import { useSyncExternalStore } from 'react'
import { useTranslation } from 'react-i18next'
import { unsay, whenSaid, wordsSaid } from './notify'
import classes from './Said.module.css'

/** What is said in passing, in a corner over everything else. */
export function Said() {
  const { t } = useTranslation()
  const words = useSyncExternalStore(whenSaid, wordsSaid)
  return (
    <div className={classes.corner}>
      {words.map(({ id, message, color }) => (
        <Notification
          key={id}
          color={color}
          onClose={() => unsay(id)}
          closeButtonProps={{ 'aria-label': t('common.close') }}
        >
          {message}
        </Notification>
      ))}
    </div>
  )
}
