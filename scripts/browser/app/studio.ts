import { isAuthRefreshDiscardedError, type SupabaseClient } from '@supabase/supabase-js'

/** A change that a page has heard. */
export type Heard = { table: string; event: string; row: Record<string, unknown> }

/**
 * The code of a client of the studio, as a front-end developer writes it from origins 004 (sign-up by a code, photos in a folder
 * of the user) and 001 (artifacts for signed-in users). The code uses only supabase-js, so it runs in pages and in Node.
 */
export function createStudio(supabase: SupabaseClient) {
  const photos = supabase.storage.from('user_uploads')
  const results = supabase.storage.from('generations')
  const heard: Heard[] = []
  return {
    async signUp(email: string, password: string) {
      const { data, error } = await supabase.auth.signUp({ email, password, options: { data: { name: 'Ana' } } })
      if (error) throw error
      return { asksForCode: data.session === null }
    },

    async enterCode(email: string, token: string) {
      const { data, error } = await supabase.auth.verifyOtp({ type: 'signup', email, token })
      if (error) throw error
      return data.user?.id ?? ''
    },

    async signIn(email: string, password: string) {
      const { data, error } = await supabase.auth.signInWithPassword({ email, password })
      if (error) throw error
      return data.user.id
    },

    /** Returns where the browser goes for a sign-in by Google. */
    async urlOfGoogle() {
      const { data, error } = await supabase.auth.signInWithOAuth({
        provider: 'google',
        options: { skipBrowserRedirect: true },
      })
      if (error) throw error
      return data.url
    },

    /** Returns the stored session, as after a reload of the page. */
    async session() {
      const { data } = await supabase.auth.getSession()
      return data.session && { userId: data.session.user.id, refreshToken: data.session.refresh_token }
    },

    /** Asks the server who is signed in. */
    async whoAmI() {
      const { data, error } = await supabase.auth.getUser()
      if (error) throw error
      return { id: data.user.id, email: data.user.email, name: data.user.user_metadata['name'] as string }
    },

    async refresh(refreshToken: string) {
      const refreshed = await supabase.auth.refreshSession({ refresh_token: refreshToken })
      // Another tab was faster, and has stored its session.
      const { data, error } = isAuthRefreshDiscardedError(refreshed.error)
        ? await supabase.auth.getSession()
        : refreshed
      if (error) throw error
      return data.session?.refresh_token ?? ''
    },

    async signOut() {
      const { error } = await supabase.auth.signOut()
      if (error) throw error
    },

    async uploadPhoto(folder: string, photo: File) {
      const { data, error } = await photos.upload(`${folder}/${photo.name}`, photo)
      if (error) throw error
      return data.path
    },

    async listPhotos(folder: string) {
      const { data, error } = await photos.list(folder)
      if (error) throw error
      return data.map(({ name, metadata }) => ({ name, type: metadata?.['mimetype'], size: metadata?.['size'] }))
    },

    async signedUrl(path: string) {
      const { data, error } = await photos.createSignedUrl(path, 60)
      if (error) throw error
      return data.signedUrl
    },

    async deletePhoto(path: string) {
      const { data, error } = await photos.remove([path])
      if (error) throw error
      return data.length
    },

    async uploadResult(path: string, picture: File) {
      const { error } = await results.upload(path, picture)
      if (error) throw error
    },

    /** Subscribes to the user's own work, notifications and credits, and to the configuration, which all users share. */
    async watch(userId: string) {
      heard.length = 0
      // Before the first subscription, because a channel that joins without the user's token stays anonymous.
      await supabase.realtime.setAuth()
      const schema = 'public'
      const bindings = [
        { event: 'INSERT', table: 'notifications', filter: `user_id=eq.${userId}` },
        { event: 'UPDATE', table: 'users', filter: `id=eq.${userId}` },
        // Without a filter: policies alone keep the rows of others away.
        ...['runs', 'tasks', 'notifications', 'tools', 'hairstyles', 'colors', 'plans'].map((table) => ({
          event: '*',
          table,
        })),
      ]
      const channel = supabase.channel('live')
      for (const binding of bindings)
        channel.on('postgres_changes', { schema, ...binding } as { event: '*'; schema: string }, (change) =>
          heard.push({ table: change.table, event: change.eventType, row: change.new }),
        )
      await new Promise<void>((resolve, reject) => {
        channel
          .on('system', {}, ({ status, message }) => (status === 'ok' ? resolve() : reject(new Error(message))))
          .subscribe((_status, error) => error && reject(error))
      })
    },

    /** Returns the changes that have arrived since {@link watch}. */
    async heard() {
      return heard
    },

    async publicUrls(path: string) {
      return {
        ofResult: results.getPublicUrl(path).data.publicUrl,
        ofPhoto: photos.getPublicUrl(path).data.publicUrl,
      }
    },

    /** Downloads a published artifact, and returns its SHA-256 for a comparison with `artifacts.sha256`. */
    async hashOfArtifact(path: string) {
      const { data, error } = await supabase.storage.from('template-artifacts').download(path)
      if (error) throw error
      const bytes = new Uint8Array(await crypto.subtle.digest('SHA-256', await data.arrayBuffer()))
      return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
    },
  }
}

export type Studio = ReturnType<typeof createStudio>
