import { useTranslation } from 'react-i18next'

/** Say in words why a door turned something away. */
export function useRefusalText() {
  const { t, i18n } = useTranslation()
  return (reason: string): string =>
    i18n.exists(`refusals.${reason}`) ? t(`refusals.${reason}` as never) : reason
}
