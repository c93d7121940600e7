import i18next from 'i18next'
import { initReactI18next } from 'react-i18next'
import { Problem } from '@/api/problem'
import type { en } from './en'
import type { apis } from './en/apis'
import type { providers } from './en/providers'

export const LANGUAGES = ['en', 'da'] as const
export type Language = (typeof LANGUAGES)[number]

/** The shape every catalogue has: the English one's. */
export type Catalogue<T = typeof en> = { [K in keyof T]: T[K] extends string ? string : Catalogue<T[K]> }

declare module 'i18next' {
  interface CustomTypeOptions {
    defaultNS: 'translation'
    resources: { translation: typeof en & typeof apis & typeof providers }
  }
}

const KEPT = 'moorage.language'

/** Give the language kept here before, else the browser's, else English. */
export function preferredLanguage(): Language {
  const wanted = [localStorage.getItem(KEPT), ...navigator.languages].map((l) => l?.slice(0, 2).toLowerCase())
  return LANGUAGES.find((l) => l === wanted.find((w) => LANGUAGES.some((k) => k === w))) ?? 'en'
}

async function load(language: Language): Promise<Catalogue> {
  return language === 'da' ? (await import('./da')).da : (await import('./en')).en
}

/** Words that are not there from the start, and one that tells whether they have come. */
const LATER = {
  failures: {
    mark: 'errors.invalid',
    en: async () => (await import('./en/errors')).errors,
    da: async () => (await import('./da/errors')).errors,
  },
  apis: {
    mark: 'apis.lead',
    en: async () => (await import('./en/apis')).apis,
    da: async () => (await import('./da/apis')).apis,
  },
  providers: {
    mark: 'identityProviders.new',
    en: async () => (await import('./en/providers')).providers,
    da: async () => (await import('./da/providers')).providers,
  },
}
type Later = keyof typeof LATER
const have = (words: Later, language: Language) =>
  i18next.getResource(language, 'translation', LATER[words].mark) !== undefined

/** Fetch words that few people need, before what shows them; without a net there are none. */
export async function loadWords(words: Later, language = i18next.language as Language): Promise<void> {
  if (!i18next.isInitialized || have(words, language)) return
  const found = await LATER[words][language]().catch(() => null)
  if (found) i18next.addResourceBundle(language, 'translation', found, true, true)
}

/** Fetch the words of failures, which nobody needs until something fails. */
export const loadFailures = () => loadWords('failures')

/** Start i18next with one language loaded. */
export async function startLanguage(language: Language = preferredLanguage()): Promise<void> {
  await i18next.use(initReactI18next).init({
    lng: language,
    resources: { [language]: { translation: await load(language) } },
    interpolation: { escapeValue: false },
    returnNull: false,
    react: { bindI18nStore: 'added' },
  })
  document.documentElement.lang = language
}

/** Change the language at once and remember it in this browser. */
export async function chooseLanguage(language: Language): Promise<void> {
  localStorage.setItem(KEPT, language)
  if (!i18next.hasResourceBundle(language, 'translation')) {
    i18next.addResourceBundle(language, 'translation', await load(language))
  }
  const before = i18next.language as Language
  for (const words of Object.keys(LATER) as Later[]) {
    if (have(words, before)) await loadWords(words, language)
  }
  await i18next.changeLanguage(language)
  document.documentElement.lang = language
}

/** Give the words for a failure, by its code; the server's own sentence where no catalogue has one. */
export function failureText(failure: unknown): string {
  if (!(failure instanceof Problem)) return i18next.t('failure.unexpected')
  const key = `errors.${failure.code}`
  if (i18next.exists(key)) return String(i18next.t(key as never, failure.given as never))
  void loadFailures() // Once they are here, whoever shows this asks again.
  return failure.message
}
