import { useTranslation } from 'react-i18next'

/** Split a fact's name into words: `DeviceMoved` becomes `Device moved`. */
export function factWords(name: string): string {
  const words = name.replace(/([a-z])([A-Z])/g, '$1 $2').toLowerCase()
  return words.charAt(0).toUpperCase() + words.slice(1)
}

/** Name a fact in the language in use. */
export function useFactName() {
  const { t, i18n } = useTranslation()
  return (name: string): string =>
    i18n.exists(`facts.${name}`) ? t(`facts.${name}` as never) : factWords(name)
}
