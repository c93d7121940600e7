import {
  type ActionIconProps,
  type ButtonProps,
  createTheme,
  type MantineColorsTuple,
  type ModalProps,
  mergeThemeOverrides,
  type TableProps,
  type TabsProps,
  type TooltipProps,
} from '@mantine/core'
import { useTranslation } from 'react-i18next'

/** The one accent: a deep harbour blue. Index 7 carries white text at 7:1. */
const harbour: MantineColorsTuple = [
  '#eef5fb',
  '#d9e7f4',
  '#b1cde7',
  '#86b2da',
  '#5f99cd',
  '#4286c2',
  '#2b74b3',
  '#14508c',
  '#0f4072',
  '#0a3059',
]

/** Neutral greys with a breath of blue. */
const slate: MantineColorsTuple = [
  '#f7f9fb',
  '#eef1f5',
  '#dfe4ea',
  '#c8d0d9',
  '#a9b4c0',
  '#82909f',
  '#5f6d7c',
  '#465362',
  '#2f3a47',
  '#1b232d',
]

/** Mantine's dark scale: index 0 is text, 7 the page. */
const dark: MantineColorsTuple = [
  '#dbe2ea',
  '#b6c1cd',
  '#97a4b3',
  '#5c6977',
  '#364250',
  '#2a3541',
  '#202a35',
  '#161d26',
  '#10161d',
  '#0b0f14',
]

const base = createTheme({
  primaryColor: 'harbour',
  primaryShade: { light: 7, dark: 6 },
  colors: { harbour, slate, dark, gray: slate },
  autoContrast: true,
  luminanceThreshold: 0.32,
  fontFamily: 'system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Liberation Sans", sans-serif',
  fontFamilyMonospace:
    'ui-monospace, "SF Mono", "Cascadia Mono", "Noto Sans Mono", "Liberation Mono", monospace',
  fontSizes: { xs: '0.75rem', sm: '0.8125rem', md: '0.875rem', lg: '1rem', xl: '1.125rem' },
  spacing: { xs: '0.5rem', sm: '0.75rem', md: '1rem', lg: '1.5rem', xl: '2rem' },
  defaultRadius: 'sm',
  radius: { xs: '3px', sm: '6px', md: '8px', lg: '12px', xl: '16px' },
  headings: {
    fontWeight: '600',
    sizes: {
      h1: { fontSize: '1.375rem', lineHeight: '1.3' },
      h2: { fontSize: '1.0625rem', lineHeight: '1.4' },
      h3: { fontSize: '0.9375rem', lineHeight: '1.4' },
    },
  },
  shadows: {
    xs: '0 1px 2px rgb(16 30 50 / 6%)',
    sm: '0 1px 3px rgb(16 30 50 / 8%), 0 1px 2px rgb(16 30 50 / 5%)',
    md: '0 8px 24px rgb(16 30 50 / 14%)',
  },
  respectReducedMotion: true,
  // Types only: the components themselves are loaded by the pages that show them.
  components: {
    Button: { defaultProps: { size: 'sm' } satisfies Partial<ButtonProps> },
    ActionIcon: { defaultProps: { variant: 'subtle', color: 'gray' } satisfies Partial<ActionIconProps> },
    Tooltip: {
      defaultProps: {
        openDelay: 250,
        withArrow: true,
        transitionProps: { duration: 100 },
      } satisfies Partial<TooltipProps>,
    },
    Modal: {
      defaultProps: {
        transitionProps: { duration: 120 },
        overlayProps: { opacity: 0.4 },
      } satisfies Partial<ModalProps>,
    },
    Table: { defaultProps: { verticalSpacing: 8 } satisfies Partial<TableProps> },
    Tabs: { defaultProps: { keepMounted: false } satisfies Partial<TabsProps> },
  },
})

const titled = { title: { fontWeight: 600, fontSize: '1.0625rem' } }

/** Give the theme, with the words it needs in the language in use. */
export function useTheme() {
  const { t } = useTranslation()
  const closeButtonProps = { 'aria-label': t('common.close') }
  return mergeThemeOverrides(base, {
    components: {
      Modal: { defaultProps: { ...base.components?.Modal?.defaultProps, closeButtonProps }, styles: titled },
      Drawer: { defaultProps: { closeButtonProps }, styles: titled },
    },
  })
}
