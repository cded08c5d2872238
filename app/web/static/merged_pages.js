/** Several lists of the service, each newest first and in pages, read as one. */

/**
 * `fetchers` are functions of a cursor that give a page {items, next_cursor}, or null when the service does not answer.
 * Returns {next(count)}, which gives the next items in the order of their making, or null without an answer, and
 * `hasMore()`.
 */
export function mergedPages(fetchers) {
  const sources = fetchers.map((fetchPage) => ({ fetchPage, items: [], cursor: null, isOver: false }));

  /** Whether a source's next item is known, or that it has none. */
  async function fill(source) {
    while (source.items.length === 0 && !source.isOver) {
      const page = await source.fetchPage(source.cursor);
      if (!page) return false;
      source.items.push(...page.items);
      source.cursor = page.next_cursor;
      source.isOver = page.next_cursor === null;
    }
    return true;
  }

  async function next(count) {
    const found = [];
    while (found.length < count) {
      const filled = await Promise.all(sources.map(fill));
      if (!filled.every(Boolean)) return found.length ? found : null;
      const ready = sources.filter(({ items }) => items.length);
      if (ready.length === 0) break;
      const newest = ready.reduce((a, b) => (a.items[0].created_at >= b.items[0].created_at ? a : b));
      found.push(newest.items.shift());
    }
    return found;
  }

  return { next, hasMore: () => sources.some(({ items, isOver }) => items.length > 0 || !isOver) };
}
