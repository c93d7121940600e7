import { notifications } from '@mantine/notifications'
import i18next from 'i18next'

const show = (message: string, color: string, autoClose: number) =>
  notifications.show({
    message,
    color,
    autoClose,
    closeButtonProps: { 'aria-label': i18next.t('common.close') },
  })

/** Say in passing that something was done. */
export function told(message: string) {
  show(message, 'teal', 3_500)
}

/** Say in passing that something failed. */
export function failed(message: string) {
  show(message, 'red', 8_000)
}
