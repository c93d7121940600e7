import { notifications } from '@mantine/notifications'

/** Say in passing that something was done. */
export function told(message: string) {
  notifications.show({ message, color: 'teal', autoClose: 3_500 })
}

/** Say in passing that something failed. */
export function failed(message: string) {
  notifications.show({ message, color: 'red', autoClose: 8_000 })
}
