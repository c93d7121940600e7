import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useSession } from '@/features/auth/session'
import { chooseLanguage, type Language } from '@/i18n'
import { useFailureText } from '@/parts/Failure'
import { failed } from '@/parts/notify'
import { changeUser } from './queries'

/** Give the function that changes the language here and for the person, in every browser. */
export function useLanguage(): (language: Language) => void {
  const { me } = useSession()
  const client = useQueryClient()
  const text = useFailureText()
  const choose = useMutation({
    mutationFn: async (language: Language) => {
      await chooseLanguage(language)
      await changeUser(me.id, { language })
    },
    onError: (failure) => failed(text(failure)),
    onSettled: () => client.invalidateQueries({ queryKey: ['me'] }),
  })
  return choose.mutate
}
