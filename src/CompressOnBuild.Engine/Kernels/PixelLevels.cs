using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace CompressOnBuild.Kernels;

/// <summary>Levels of pixels to the values that a model takes.</summary>
internal static class PixelLevels
{
    /// <summary>A row of pixels to a row of each of three planes.</summary>
    /// <param name="row">Pixels of three bytes, as many as a plane's row is long.</param>
    /// <param name="tables">For each byte of a pixel what its 256 levels become.</param>
    /// <param name="first">Where the pixels' first bytes go.</param>
    /// <param name="second">Where their second bytes go.</param>
    /// <param name="third">Where their third bytes go.</param>
    /// <exception cref="ArgumentException">The lengths do not belong together.</exception>
    public static void ToPlanes<T>(ReadOnlySpan<byte> row, (T[] First, T[] Second, T[] Third) tables, Span<T> first, Span<T> second, Span<T> third) where T : unmanaged
    {
        if (row.Length != first.Length * 3 || second.Length != first.Length || third.Length != first.Length || tables.First.Length < 256 || tables.Second.Length < 256 || tables.Third.Length < 256)
            throw new ArgumentException("A pixel has three bytes, a table 256 levels.", nameof(row));
        ref var from = ref MemoryMarshal.GetReference(row);
        ref var a = ref MemoryMarshal.GetArrayDataReference(tables.First);
        ref var b = ref MemoryMarshal.GetArrayDataReference(tables.Second);
        ref var c = ref MemoryMarshal.GetArrayDataReference(tables.Third);
        for (var x = 0; x < first.Length; x++)
        {
            first[x] = Unsafe.Add(ref a, (nint)from);
            Unsafe.Add(ref MemoryMarshal.GetReference(second), x) = Unsafe.Add(ref b, (nint)Unsafe.Add(ref from, 1));
            Unsafe.Add(ref MemoryMarshal.GetReference(third), x) = Unsafe.Add(ref c, (nint)Unsafe.Add(ref from, 2));
            from = ref Unsafe.Add(ref from, 3);
        }
    }
}
