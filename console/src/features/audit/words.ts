import { useTranslation } from 'react-i18next'

/** Write a fact's name in words: `devices.credential_made` becomes `Credential made`. */
export function factWords(name: string): string {
  const words = (name.split('.').at(-1) ?? name).replaceAll('_', ' ')
  return words.charAt(0).toUpperCase() + words.slice(1)
}

/** Name a fact in the language in use. */
export function useFactName() {
  const { t, i18n } = useTranslation()
  return (name: string): string =>
    i18n.exists(`facts.${name}`) ? t(`facts.${name}` as never) : factWords(name)
}

/** Name a field of a fact, `silent_after` or `silentAfter`, in the language in use. */
export function useFieldName() {
  const { t, i18n } = useTranslation()
  return (field: string): string => {
    const camel = field.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())
    const key = `fields.${camel.replace(/Ids?$/, '')}`
    return i18n.exists(key) && i18n.t(key as never) !== key ? t(key as never) : field.replaceAll('_', ' ')
  }
}
