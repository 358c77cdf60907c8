import { type FSWatcher, readdirSync, watch } from 'node:fs'
import { extname, join } from 'node:path'

/**
 * Calls `changed` with the path of each file or folder that changes in a folder or below it; returns a function that ends
 * this. It watches the folders, because a recursive watcher and `node --watch` follow the files, and lose a file that an
 * editor or git replaces by a new one of the same name.
 */
export function watchFolder(folder: string, changed: (path: string) => void): () => void {
  let watchers: FSWatcher[] = []
  const end = () => {
    for (const watcher of watchers) watcher.close()
  }
  const watchAll = () => {
    end()
    watchers = listFolders(folder).flatMap((path) =>
      watchIfThere(path, (event, file) => {
        // Perhaps a folder that was added or removed.
        if (event === 'rename' && extname(file) === '') watchAll()
        changed(join(path, file))
      }),
    )
  }
  watchAll()
  return end
}

/** The folder and all folders below it; those that are removed while it reads them are missing. */
function listFolders(folder: string): string[] {
  return [
    folder,
    ...ifThere(() => readdirSync(folder, { withFileTypes: true }))
      .flat()
      .filter((entry) => entry.isDirectory())
      .flatMap(({ name }) => listFolders(join(folder, name))),
  ]
}

function watchIfThere(folder: string, onFile: (event: string, file: string) => void): FSWatcher[] {
  return ifThere(() => watch(folder, (event, file) => onFile(event, file ?? '')))
}

/** A list of one result, or of none where the folder does not exist any more. */
function ifThere<T>(read: () => T): T[] {
  try {
    return [read()]
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}
