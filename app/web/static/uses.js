/** Kinds of job by what the page does with a new network. */

export const TRAIN = "train";
export const CLASSIFY = "classify";
export const IMAGINE = "class_visualization";
export const EXPORT = "export_network";

/** Forms that are opened with the network chosen, and the words of their buttons. */
export const FORMS = [
  { kind: "deep_dream", title: "Dream with it" },
  { kind: "style_transfer", title: "Paint with it" },
];
