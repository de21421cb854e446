import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'
import { root } from './packages.js'

/** A piece of code that a reader is shown. */
export interface Example {
  /** The document or source file that shows it. */
  readonly shownIn: string
  readonly line: number
  readonly code: string
}

/** An example without imports is a piece of a program, any other one a whole file of it. */
export function isPiece({ code }: Example): boolean {
  return !/^import /m.test(code)
}

/** The `ts` blocks of all Markdown documents. */
export function examplesInDocuments(): Example[] {
  return tracked('*.md').flatMap(({ path, text }) =>
    [...text.matchAll(/^```ts\n(.*?)^```/gms)].map((match) => ({
      shownIn: path,
      line: lineAt(text, match.index),
      code: match[1] as string,
    })),
  )
}

/** What stands behind `@example` in the comments of the packages. */
export function examplesInComments(): Example[] {
  return tracked('packages/*/src/*.ts').flatMap(({ path, text }) =>
    exampleTags(ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true)).map((tag) => ({
      shownIn: path,
      line: lineAt(text, tag.pos),
      code: ts.getTextOfJSDocComment(tag.comment) ?? '',
    })),
  )
}

function exampleTags(node: ts.Node): ts.JSDocTag[] {
  const own = ts.getJSDocTags(node).filter((tag) => tag.tagName.text === 'example' && tag.parent.parent === node)
  const below: ts.JSDocTag[] = []
  ts.forEachChild(node, (child) => {
    below.push(...exampleTags(child))
  })
  return [...own, ...below]
}

function tracked(pattern: string) {
  return execFileSync('git', ['ls-files', pattern], { cwd: root, encoding: 'utf8' })
    .split('\n')
    .filter((path) => path !== '' && existsSync(join(root, path)))
    .map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }))
}

function lineAt(text: string, position: number): number {
  return text.slice(0, position).split('\n').length
}
