/* zone_table.c: where a number was given out. A modest table: area codes of the North American plan, and countries. Where a code spans two
 * zones, or a country several, its outermost are joined with '+', so that a window is open only when it is so everywhere. */
#include <stddef.h>
#include <string.h>

#include "campaign/zones.h"

struct area {
    const char *zone, *codes; /* three digits each, with spaces around */
};

static const struct area areas[] = {
    { "America/New_York", " 201 202 203 207 212 215 216 220 223 227 229 231 234 239 240 248 252 260 267 269 272 276 283 301 302 304 305 "
                          "313 315 317 321 324 326 329 330 332 336"
                          " 339 347 351 352 363 380 386 401 404 407 410 412 413 419 434 436 440 443 445 463 470 472 475 478 484 502 508 "
                          "513 516 517 518 540 551 561 567 570"
                          " 571 574 582 585 586 603 607 609 610 614 616 617 624 631 640 645 646 656 667 678 679 680 681 686 689 703 704 "
                          "706 716 717 718 724 727 728 732 734"
                          " 740 743 754 757 762 765 770 771 772 774 781 786 802 803 804 810 813 814 821 826 828 835 838 839 843 845 848 "
                          "854 856 857 859 860 862 863 864 865 878"
                          " 904 908 910 912 914 917 919 929 934 937 941 943 947 948 954 959 973 978 980 984 989 " },
    { "America/Toronto",
      " 226 249 263 289 343 354 365 367 382 416 418 437 438 450 468 514 519 548 579 581 613 647 683 705 742 753 819 873 905 942 " },
    { "America/Chicago", " 205 210 214 217 218 219 224 225 228 235 251 254 256 262 274 281 309 312 314 316 318 319 320 325 327 331 334 337 "
                         "346 353 361 402 405 409 414 417 430"
                         " 432 447 457 464 469 479 501 504 507 512 515 531 534 539 557 563 572 573 580 601 608 612 615 618 629 630 636 641 "
                         "651 659 660 662 682 708 712 713 715"
                         " 726 730 731 737 763 769 773 779 806 815 816 817 830 832 847 861 870 872 901 903 913 918 920 924 931 936 938 940 "
                         "945 952 956 972 975 979 985 " },
    { "America/Winnipeg", " 204 431 584 " },
    { "America/Regina", " 306 474 639 " },
    { "America/Denver", " 303 307 385 406 435 505 575 719 720 801 915 970 983 " },
    { "America/Edmonton", " 368 403 587 780 825 " },
    { "America/Phoenix", " 480 520 602 623 " },
    { "America/Phoenix+America/Denver", " 928 " },
    { "America/Los_Angeles", " 206 209 213 253 279 310 323 341 350 357 360 369 408 415 424 425 442 503 509 510 530 559 562 564 619 626 628 "
                             "650 657 661 669 702 707 714 725 738 747"
                             " 760 775 805 818 820 831 837 840 858 909 916 925 949 951 971 " },
    { "America/Vancouver+America/Edmonton", " 236 250 257 604 672 778 " },
    { "America/New_York+America/Chicago", " 270 364 423 448 606 807 812 850 906 930 " },
    { "America/Chicago+America/Denver", " 308 605 620 701 785 " },
    { "America/Denver+America/Los_Angeles", " 208 458 541 986 " },
    { "America/Whitehorse+America/Iqaluit", " 867 " },
    { "America/Anchorage", " 907 " },
    { "Pacific/Honolulu", " 808 " },
    { "America/Halifax", " 428 506 782 902 " },
    { "America/St_Johns+America/Goose_Bay", " 709 879 " },
    { "America/Puerto_Rico", " 340 787 939 246 264 268 284 473 649 664 721 758 767 784 868 869 " },
    { "America/Santo_Domingo", " 809 829 849 " },
    { "America/Jamaica", " 345 658 876 " },
    { "America/Nassau", " 242 " },
    { "Atlantic/Bermuda", " 441 " },
    { "Pacific/Guam", " 670 671 " },
    { "Pacific/Pago_Pago", " 684 " },
};
/* Freephone, personal and unassigned codes: anywhere between the coasts. */
#define ANYWHERE_IN_AMERICA "America/New_York+America/Los_Angeles"

struct country {
    const char *code, *zone;
};

static const struct country countries[] = {
    { "20", "Africa/Cairo" },
    { "211", "Africa/Juba" },
    { "212", "Africa/Casablanca" },
    { "213", "Africa/Algiers" },
    { "216", "Africa/Tunis" },
    { "218", "Africa/Tripoli" },
    { "221", "Africa/Dakar" },
    { "225", "Africa/Abidjan" },
    { "233", "Africa/Accra" },
    { "234", "Africa/Lagos" },
    { "237", "Africa/Douala" },
    { "251", "Africa/Addis_Ababa" },
    { "254", "Africa/Nairobi" },
    { "255", "Africa/Dar_es_Salaam" },
    { "256", "Africa/Kampala" },
    { "260", "Africa/Lusaka" },
    { "263", "Africa/Harare" },
    { "27", "Africa/Johannesburg" },
    { "30", "Europe/Athens" },
    { "31", "Europe/Amsterdam" },
    { "32", "Europe/Brussels" },
    { "33", "Europe/Paris" },
    { "34", "Europe/Madrid+Atlantic/Canary" },
    { "351", "Europe/Lisbon+Atlantic/Azores" },
    { "352", "Europe/Luxembourg" },
    { "353", "Europe/Dublin" },
    { "354", "Atlantic/Reykjavik" },
    { "355", "Europe/Tirane" },
    { "356", "Europe/Malta" },
    { "357", "Asia/Nicosia" },
    { "358", "Europe/Helsinki" },
    { "359", "Europe/Sofia" },
    { "36", "Europe/Budapest" },
    { "370", "Europe/Vilnius" },
    { "371", "Europe/Riga" },
    { "372", "Europe/Tallinn" },
    { "373", "Europe/Chisinau" },
    { "375", "Europe/Minsk" },
    { "380", "Europe/Kiev" },
    { "381", "Europe/Belgrade" },
    { "385", "Europe/Zagreb" },
    { "386", "Europe/Ljubljana" },
    { "387", "Europe/Sarajevo" },
    { "389", "Europe/Skopje" },
    { "39", "Europe/Rome" },
    { "40", "Europe/Bucharest" },
    { "41", "Europe/Zurich" },
    { "420", "Europe/Prague" },
    { "421", "Europe/Bratislava" },
    { "43", "Europe/Vienna" },
    { "44", "Europe/London" },
    { "45", "Europe/Copenhagen" },
    { "46", "Europe/Stockholm" },
    { "47", "Europe/Oslo" },
    { "48", "Europe/Warsaw" },
    { "49", "Europe/Berlin" },
    { "502", "America/Guatemala" },
    { "503", "America/El_Salvador" },
    { "504", "America/Tegucigalpa" },
    { "505", "America/Managua" },
    { "506", "America/Costa_Rica" },
    { "507", "America/Panama" },
    { "51", "America/Lima" },
    { "52", "America/Cancun+America/Tijuana" },
    { "53", "America/Havana" },
    { "54", "America/Argentina/Buenos_Aires" },
    { "55", "America/Sao_Paulo+America/Rio_Branco" },
    { "56", "America/Santiago" },
    { "57", "America/Bogota" },
    { "58", "America/Caracas" },
    { "591", "America/La_Paz" },
    { "593", "America/Guayaquil" },
    { "595", "America/Asuncion" },
    { "598", "America/Montevideo" },
    { "60", "Asia/Kuala_Lumpur" },
    { "61", "Australia/Sydney+Australia/Perth" },
    { "62", "Asia/Jakarta+Asia/Jayapura" },
    { "63", "Asia/Manila" },
    { "64", "Pacific/Auckland" },
    { "65", "Asia/Singapore" },
    { "66", "Asia/Bangkok" },
    { "7", "Europe/Moscow+Asia/Vladivostok" },
    { "81", "Asia/Tokyo" },
    { "82", "Asia/Seoul" },
    { "84", "Asia/Ho_Chi_Minh" },
    { "852", "Asia/Hong_Kong" },
    { "855", "Asia/Phnom_Penh" },
    { "86", "Asia/Shanghai" },
    { "880", "Asia/Dhaka" },
    { "886", "Asia/Taipei" },
    { "90", "Europe/Istanbul" },
    { "91", "Asia/Kolkata" },
    { "92", "Asia/Karachi" },
    { "93", "Asia/Kabul" },
    { "94", "Asia/Colombo" },
    { "961", "Asia/Beirut" },
    { "962", "Asia/Amman" },
    { "964", "Asia/Baghdad" },
    { "965", "Asia/Kuwait" },
    { "966", "Asia/Riyadh" },
    { "968", "Asia/Muscat" },
    { "971", "Asia/Dubai" },
    { "972", "Asia/Jerusalem" },
    { "973", "Asia/Bahrain" },
    { "974", "Asia/Qatar" },
    { "977", "Asia/Kathmandu" },
    { "98", "Asia/Tehran" },
    { "995", "Asia/Tbilisi" },
};

static const char *american_zone(const char *number)
{
    const char code[] = { ' ', number[1], number[1] ? number[2] : 0, number[1] && number[2] ? number[3] : 0, ' ', 0 };
    for (size_t i = 0; i < sizeof areas / sizeof areas[0]; i++)
        if (strlen(code) == 5 && strstr(areas[i].codes, code)) return areas[i].zone;
    return ANYWHERE_IN_AMERICA;
}

const char *zone_by_number(const char *number)
{
    const struct country *best = NULL;
    if (number[0] == '1') return american_zone(number);
    for (size_t i = 0; i < sizeof countries / sizeof countries[0]; i++) {
        const struct country *c = &countries[i];
        if (strncmp(number, c->code, strlen(c->code)) == 0 && (!best || strlen(c->code) > strlen(best->code))) best = c;
    }
    return best ? best->zone : NULL;
}
