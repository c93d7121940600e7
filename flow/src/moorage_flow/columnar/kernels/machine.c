/* What the machine can do. */
#include <stdint.h>

#if defined(__x86_64__)
#include <cpuid.h>

/* Tell whether the processor has AVX2 and POPCNT, and the system keeps their registers. Source: Intel 64 and IA-32 Architectures Software
   Developer's Manual, volume 1, 14.7.1. */
int64_t flow_has_avx2(void)
{
    enum { BOTH = 6 };
    uint32_t a, b, c, d, kept;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE) || !(c & bit_AVX) || !(c & bit_POPCNT)) return 0;
    __asm__("xgetbv" : "=a"(kept), "=d"(d) : "c"(0));
    return (kept & BOTH) == BOTH && __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & bit_AVX2);
}
#else
int64_t flow_has_avx2(void) { return 0; }
#endif
