// How jemalloc is set up in the programs that hold a store. It asks the program
// for this variable by its name (jemalloc(3), "TUNING").
//
// thp:always: memtables, heads and receive buffers are tens of megabytes that
// are filled once from front to back. With pages of 4 KiB, the kernel's page
// faults were 27% of a recovery's CPU.
//
// narenas:2: an arena holds a huge page or two for each kind of block. With
// four arenas a core an idle server had 27 MB of these. Few threads allocate
// here, and their caches serve them.
extern "C" {
const char* malloc_conf = "thp:always,narenas:2";
}
