/** Monaco names its diff editors in its first files; nobody compares texts here, so they stay out of the page. */
export class DiffEditorWidget {}
export class MultiDiffEditorWidget {}
export const linesDiffComputers = {};
