// Unpacks the Chromium of the npm package into the folder TMPDIR, where the package puts things, with its fonts and libraries.
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { inflate } from "@sparticuz/chromium";

const bin = join(dirname(createRequire(import.meta.url).resolve("@sparticuz/chromium")), "..", "..", "bin");
for (const name of ["chromium.br", "fonts.tar.br", "al2023.tar.br"]) await inflate(join(bin, name));
