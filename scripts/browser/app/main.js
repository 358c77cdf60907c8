import { createClient } from '@supabase/supabase-js'
import { createStudio } from './studio.ts'

const url = import.meta.env.VITE_SUPABASE_URL
const parameters = new URLSearchParams(location.search)
const key = parameters.get('key') ?? import.meta.env.VITE_SUPABASE_ANON_KEY
// Two users of one browser have two sessions.
const user = parameters.get('user')
const studio = createStudio(createClient(url, key, user === null ? {} : { auth: { storageKey: user } }))

/** Calls a function of the studio for the proof. Answers are JSON, and a File arrives as its parts. */
globalThis.callStudio = async (name, args) => {
  try {
    return { value: await studio[name](...args.map(readArgument)) }
  } catch (error) {
    const { message, code, status, statusCode } = error
    return { refused: { message, code, status, statusCode } }
  }
}

function readArgument(argument) {
  if (typeof argument === 'string') return argument
  const bytes = Uint8Array.from(atob(argument.base64), (character) => character.charCodeAt(0))
  return new File([bytes], argument.name, { type: argument.type })
}

/** Shows a picture, and reads a pixel from a canvas, which needs CORS. Returns null if the browser shows nothing. */
globalThis.showPicture = async (src) => {
  const picture = await loadPicture(src)
  if (picture === undefined) return null
  const readable = await loadPicture(src, 'anonymous')
  if (readable === undefined) throw new Error(`The browser shows ${src}, but CORS forbids to read its pixels.`)
  const canvas = document.createElement('canvas').getContext('2d')
  canvas.drawImage(readable, 0, 0)
  return {
    width: picture.naturalWidth,
    height: picture.naturalHeight,
    pixel: [...canvas.getImageData(0, 0, 1, 1).data],
  }
}

function loadPicture(src, crossOrigin = null) {
  return new Promise((resolve) => {
    const picture = document.createElement('img')
    picture.crossOrigin = crossOrigin
    picture.onload = () => resolve(picture)
    picture.onerror = () => resolve(undefined)
    // The second load must not get the first one's answer from the cache, which may have no headers of CORS.
    picture.src = crossOrigin === null ? src : `${src}${src.includes('?') ? '&' : '?'}cors=1`
    document.body.append(picture)
  })
}
