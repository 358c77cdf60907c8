import type { Client } from 'pg'

/** Creates the buckets and policies of origin 004 §6: a private folder for each user, and public files of the server. */
export async function addStudioBuckets(admin: Client): Promise<void> {
  await admin.query(`
    insert into storage.buckets (id, name, public)
    values ('user_uploads', 'user_uploads', false), ('generations', 'generations', true);

    create policy select_own on storage.objects
      for select to authenticated
      using (
        bucket_id in ('user_uploads', 'generations')
        and (storage.foldername(name))[1] = (select auth.uid())::text
      );
    create policy insert_own on storage.objects
      for insert to authenticated
      with check (bucket_id = 'user_uploads' and (storage.foldername(name))[1] = (select auth.uid())::text);
    create policy update_own on storage.objects
      for update to authenticated
      using (bucket_id = 'user_uploads' and (storage.foldername(name))[1] = (select auth.uid())::text);
    create policy delete_own on storage.objects
      for delete to authenticated
      using (bucket_id = 'user_uploads' and (storage.foldername(name))[1] = (select auth.uid())::text);
  `)
}
