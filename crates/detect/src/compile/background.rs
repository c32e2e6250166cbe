//! [`Background`]: a feel for ordinary logs. Text that stands in them is a bad thing to start
//! matching from, because every other event has it.

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::fold::fold;

/// Lines such as ordinary machines write all day.
const ORDINARY: &[&str] = &[
    r"C:\Windows\System32\svchost.exe -k netsvcs -p -s Schedule",
    r"C:\Windows\system32\svchost.exe -k LocalServiceNetworkRestricted -p",
    r#""C:\Windows\system32\cmd.exe" /c "echo off && dir C:\Users\admin\Documents""#,
    r"C:\Windows\System32\WindowsPowerShell\v1.0\powershell.exe -NoProfile -ExecutionPolicy Bypass -File C:\ProgramData\task.ps1",
    r#""C:\Program Files\Google\Chrome\Application\chrome.exe" --type=renderer --lang=en-US --field-trial-handle=1"#,
    r#""C:\Program Files (x86)\Microsoft\Edge\Application\msedge.exe" --type=utility --service-sandbox-type=none /prefetch:8"#,
    r"C:\Users\user\AppData\Local\Temp\setup.tmp C:\Users\user\AppData\Roaming\Microsoft\Windows\Start Menu\Programs",
    r"C:\Windows\explorer.exe C:\Windows\System32\services.exe C:\Windows\System32\taskhostw.exe C:\Windows\System32\RuntimeBroker.exe -Embedding",
    r"C:\Windows\System32\wbem\WmiPrvSE.exe -secured -Embedding C:\Windows\System32\conhost.exe 0xffffffff -ForceV1",
    r"C:\Windows\System32\rundll32.exe C:\Windows\system32\shell32.dll,Control_RunDLL C:\Windows\SysWOW64\dllhost.exe /Processid:{}",
    r"C:\Windows\System32\msiexec.exe /V C:\Windows\System32\sc.exe query net.exe user reg.exe query schtasks.exe wscript.exe cscript.exe mshta.exe regsvr32.exe",
    r"NT AUTHORITY\SYSTEM Microsoft Windows Operating System Microsoft Corporation System High Medium",
    r"HKLM\System\CurrentControlSet\Services\Tcpip\Parameters HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Run HKU\S-1-5-21",
    r"Microsoft-Windows-Sysmon/Operational Microsoft-Windows-Security-Auditing Security Application",
    r"C:\Windows\System32\ntdll.dll+9d2f4|C:\Windows\System32\KERNELBASE.dll+2c0f1 C:\Windows\System32\kernel32.dll",
    "GET /index.html HTTP/1.1 200 Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120 Safari/537.36",
    "GET /static/js/app.min.js POST /api/v1/login?user=admin&id=1 /images/logo.png /wp-content/uploads /favicon.ico https://www.example.com/",
    "sshd[1234]: Failed password for invalid user admin from 203.0.113.7 port 52144 ssh2",
    "sshd[1234]: Accepted publickey for root from 192.0.2.4 port 40022 ssh2: RSA SHA256:",
    "pam_unix(sshd:session): session opened for user root(uid=0) by (uid=0)",
    "sudo: alice : TTY=pts/0 ; PWD=/home/alice ; USER=root ; COMMAND=/usr/bin/apt update",
    "systemd[1]: Started Session 12 of user root. CRON[99]: (root) CMD (command -v debian-sa1 > /dev/null)",
    "kernel: [UFW BLOCK] IN=eth0 OUT= MAC= SRC=198.51.100.2 DST=192.0.2.1 LEN=40 TTL=242 PROTO=TCP SPT=40000 DPT=22 WINDOW=1024 SYN",
    "/bin/bash -c /usr/bin/python3 /usr/sbin/cron -f /bin/sh /usr/lib/systemd/systemd /etc/passwd /var/log/syslog /tmp/",
    "error warning info debug failed success user login connection request response file process service",
];

/// Folded ordinary text and its grams.
#[derive(Debug)]
pub(crate) struct Background {
    text: String,
    grams: HashMap<u32, u32, ahash::RandomState>,
}

impl Background {
    /// The one that all share.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: LazyLock<Background> = LazyLock::new(Background::new);
        &SHARED
    }

    /// Reads the ordinary lines.
    fn new() -> Self {
        let text = fold(&ORDINARY.join("\n"));
        let mut grams: HashMap<u32, u32, ahash::RandomState> = HashMap::default();
        for width in 1..=4 {
            for window in text.as_bytes().windows(width) {
                let gram =
                    window.iter().rev().fold(0, |packed, byte| packed << 8 | u32::from(*byte));
                *grams.entry(gram).or_default() += 1;
            }
        }
        Self { text, grams }
    }

    /// How often a gram (up to four bytes, the first lowest) stands in ordinary text.
    pub(crate) fn gram(&self, gram: u32) -> u32 {
        self.grams.get(&gram).copied().unwrap_or(0)
    }

    /// A guess at the share of values that have this text in them, anywhere.
    pub(crate) fn share(&self, text: &str) -> f32 {
        let by_length = match text.len() {
            0 => 1.0,
            1 => 0.8,
            2 => 0.4,
            3 => 0.15,
            4 => 0.06,
            5 => 0.03,
            6 => 0.02,
            7 => 0.012,
            8..=11 => 0.006,
            _ => 0.003,
        };
        if self.text.contains(text) { f32::max(by_length, 0.3) } else { by_length }
    }
}
