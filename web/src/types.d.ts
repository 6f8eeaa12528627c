declare module 'monaco-editor/esm/vs/*';
declare module '*.graphql?raw' {
  const text: string;
  export default text;
}
declare var MonacoEnvironment: { getWorker(id: string, label: string): Promise<Worker> };
declare var __MONACO: { editor: { getModels(): { dispose(): void }[] } } | undefined;
