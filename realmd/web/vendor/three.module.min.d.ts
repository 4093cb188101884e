// The types of the vendored module, for tsc alone; the daemon does not serve this file.
export * from 'three';
