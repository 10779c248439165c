import type { Server } from "node:http";

/** A server of one folder. Port 0 takes any that is free. */
export function serve(folder: string, port: number): Promise<Server>;
