export const MOST_PHOTO = 2_000_000
export const PHOTO_KINDS = ['image/jpeg', 'image/png', 'image/webp']

/** Say what the server would refuse of a file; null where it would take it. */
export function photoFault(file: { type: string; size: number }): 'wrongKind' | 'tooLarge' | null {
  if (!PHOTO_KINDS.includes(file.type)) return 'wrongKind'
  return file.size > MOST_PHOTO ? 'tooLarge' : null
}
