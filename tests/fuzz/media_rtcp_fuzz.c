/* RTCP: no compound packet breaks the parser; a report that was read can be built and read again. */
#include <stdint.h>
#include <string.h>

#include "core/check.h"
#include "media/rtcp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rtcp_report report, again;
    uint8_t built[RTCP_BYTES_MAX];
    if (rtcp_parse(&report, data, size, 0x12345678)) return 0;
    int length = rtcp_build(&report, "fuzz", built, sizeof built);
    CHECK(length > 0);
    CHECK(rtcp_parse(&again, built, (size_t)length, report.block.ssrc) == 0);
    CHECK(again.ssrc == report.ssrc && again.is_sender == report.is_sender && again.bye == report.bye &&
          again.has_block == report.has_block);
    CHECK(!report.has_block || (again.block.lost == report.block.lost && again.block.highest == report.block.highest));
    rtcp_rtt_us(&report.block, report.ntp);
    return 0;
}
