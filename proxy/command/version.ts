import packageFile from '../../package.json' with { type: 'json' };

/** Of the package. */
export const version: string = packageFile.version;
