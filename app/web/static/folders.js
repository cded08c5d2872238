/** Files of folders that are dropped or chosen. */

/** Files that systems leave in folders. */
const isHidden = (path) => path.split("/").some((part) => part.startsWith(".") || part === "__MACOSX");

/** Whether a file is a list of jobs, one a line. */
export const isLines = (file) => /\.(jsonl|ndjson)$/i.test(file.name);

export const isZip = (file) => /\.zip$/i.test(file.name) || /^application\/(x-)?zip/.test(file.type);

/** The files and folders of a drop, which are readable only while its event is handled. */
export function entriesOf(transfer) {
  return [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
}

/** What is in a folder; browsers give at most 100 at a time. */
async function childrenOf(folder) {
  const reader = folder.createReader();
  const found = [];
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (some.length === 0) return found;
    found.push(...some);
  }
}

/** All files of a dropped entry with their paths: [{name, file}]. Throws a DOMException for what cannot be read. */
async function filesIn(entry) {
  const name = entry.fullPath.replace(/^\//, "");
  if (isHidden(name)) return [];
  if (entry.isFile) return [{ name, file: await new Promise((resolve, reject) => entry.file(resolve, reject)) }];
  const found = [];
  for (const child of await childrenOf(entry)) found.push(...(await filesIn(child)));
  return found;
}

/** The files of a drop with their paths. */
export async function filesOfEntries(entries) {
  return (await Promise.all(entries.map(filesIn))).flat();
}

/** Files of an input with their paths: those of a chosen folder, or single ones. */
export function withPaths(files) {
  return files
    .map((file) => ({ name: file.webkitRelativePath || file.name, file }))
    .filter(({ name }) => !isHidden(name));
}
