// @ts-check
// What the page carries: a few plain values, and in a file the answers of its grid, packed.

/** @returns {Promise<any>} */
export async function carried() {
  const text = (id) => document.getElementById(id)?.textContent?.trim() ?? "";
  const packed = text("grid");
  return { ...JSON.parse(text("data")), ...(packed ? await unpacked(packed) : {}) };
}

/** JSON that was deflated and written in base64.
 * @param {string} text
 */
async function unpacked(text) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return JSON.parse(await new Response(stream).text());
}
